import { isClaim, type Operation, type OperationOrClaim } from '../operations/index.ts';
import { attempt, emptyReport, ensureJob, type Pass, type ReconcileDeps, type ReconcileReport } from './pass.ts';
import { reconcileWaiting } from './waiting-claims.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;

/** One pass removes at most this many pages. The next pass removes the rest. */
const PAGES_MAX = 100;

/**
 * Runs one reconcile pass: repairs differences between the database, which has every operation, and the queue, which may
 * have lost jobs, and removes old operations. Leaves work in progress alone. Safe to repeat and to run in parallel.
 */
export async function reconcile(deps: ReconcileDeps): Promise<ReconcileReport> {
  const report = emptyReport();
  const pass: Pass = { report, campaignsWithLostJobs: new Set(), campaignsWithLostClaims: new Set() };
  await attempt(report, async () => void (report.jobsRestored = await deps.jobs.restoreLost()));
  await attempt(report, async () => {
    for await (const page of deps.reconcileStore.unfinished()) {
      await Promise.all(page.map((each) => attempt(report, () => reconcileOne(deps, each, pass))));
    }
  });
  await attempt(report, async () => {
    for await (const first of deps.reconcileStore.firstQueued()) {
      await attempt(report, () => wakeFirstQueued(deps, first, pass));
    }
  });
  for (const campaignId of pass.campaignsWithLostJobs) {
    await attempt(report, () => restoreQueue(deps, campaignId, pass));
  }
  await reconcileWaiting(deps, pass);
  await attempt(report, () => expire(deps, report));
  return report;
}

/** Each operation that ends wakes the one after it. This repairs a lost wake-up of the first one that waits. */
async function wakeFirstQueued(deps: ReconcileDeps, first: Operation, pass: Pass): Promise<void> {
  if (await deps.reconcileStore.hasRunning(first.campaignId)) return;
  const repair = await ensureJob(deps, first, pass);
  if (repair.kind === 'kept') await deps.jobs.wake(first);
}

/**
 * An operation creates the job of the next one if it is lost. But if Redis was emptied, callers wait for all of them: when
 * the first job of a campaign is lost, its other jobs are checked too.
 */
async function restoreQueue(deps: ReconcileDeps, campaignId: string, pass: Pass): Promise<void> {
  for await (const page of deps.reconcileStore.queued(campaignId)) {
    await Promise.all(page.map((each) => attempt(pass.report, () => ensureJob(deps, each, pass))));
  }
}

async function reconcileOne(deps: ReconcileDeps, each: OperationOrClaim, pass: Pass): Promise<void> {
  const repair = await ensureJob(deps, each, pass);
  // The job of a queued operation that is to end may be snoozed until its turn.
  if (repair.kind === 'kept' && !isClaim(each) && isStopped(each)) await deps.jobs.wake(each);
}

function isStopped({ state, error, cancellation }: Operation): boolean {
  return state === 'accepted' && (error !== null || cancellation !== null);
}

/** Removes operations and claims that ended more than `receiptsKeptDays` ago. Counts them in `report.expired`. */
async function expire(deps: ReconcileDeps, report: ReconcileReport): Promise<void> {
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
