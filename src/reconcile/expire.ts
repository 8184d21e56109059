import type { Clock } from '../domain/operation.ts';
import type { ReconciledJobs, ReconcileStore } from './ports.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;

/** One pass removes at most this many pages. The next pass removes the rest. */
const PAGES_MAX = 100;

interface ExpireDeps {
  readonly reconcileStore: ReconcileStore;
  readonly jobs: ReconciledJobs;
  readonly clock: Clock;
  readonly receiptsKeptDays: number;
}

/** Removes operations and claims that ended more than `receiptsKeptDays` ago. Counts them in `report.expired`. */
export async function expire(deps: ExpireDeps, report: { expired: number }): Promise<void> {
  const { reconcileStore, jobs, clock, receiptsKeptDays } = deps;
  if (receiptsKeptDays === 0) return;
  const before = new Date(clock.now().getTime() - receiptsKeptDays * DAY_MS);
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const ids = await reconcileStore.markExpired(before);
    if (ids.length === 0) return;
    // The jobs go first: without its operation, a retried job would carry out the request a second time.
    await jobs.forget(ids);
    await reconcileStore.removeExpired(ids);
    report.expired += ids.length;
  }
}
