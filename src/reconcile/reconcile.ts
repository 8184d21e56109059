import type { Claim } from '../claims/index.ts';
import { failWith, type Stores } from '../operations/index.ts';
import type { Clock } from '../domain/clock.ts';
import type { ReconcileStore, ReconciledJobs, Unfinished } from './ports.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;

/** A reconcile that finds more than this to forget leaves the rest to the next. */
const EXPIRED_PAGES_MAX = 100;

export interface ReconcileDeps {
  readonly stores: Stores;
  readonly ledger: ReconcileStore;
  readonly jobs: ReconciledJobs;
  readonly clock: Clock;
  /** How long what has ended is kept, in days; 0 for ever. */
  readonly receiptsKeptDays: number;
}

/** What one reconcile did. */
export interface ReconcileReport {
  /** Unfinished operations and claims whose jobs were lost. */
  made: number;
  /** Those whose jobs had been given up without being recorded as failed. */
  takenUp: number;
  /** Operations whose workers died of them too often: recorded as failed. */
  failedOperations: number;
  /** Waiting claims past their deadline. */
  claimsEnded: number;
  /** Campaigns whose pools had something for waiting claims. */
  poolsFilled: number;
  expired: number;
  /** What could not be done this time, each on its own. */
  readonly errors: Error[];
}

/**
 * Makes good what got lost between the ledger and the queue, and forgets what is old. What is on its way is left alone.
 * Each thing is seen to on its own: one that fails keeps no other from its turn. Safe to repeat, and to run twice at once.
 */
export async function reconcile(deps: ReconcileDeps): Promise<ReconcileReport> {
  const report: ReconcileReport = {
    made: 0,
    takenUp: 0,
    failedOperations: 0,
    claimsEnded: 0,
    poolsFilled: 0,
    expired: 0,
    errors: [],
  };
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      report.errors.push(error instanceof Error ? error : new Error(String(error)));
    }
  };
  const waitedOn = new Set<string>();
  await attempt(async () => {
    for await (const page of deps.ledger.unfinished()) {
      await Promise.all(page.map((each) => attempt(() => seeTo(deps, each, report, waitedOn))));
    }
  });
  for (const campaignId of waitedOn) await attempt(() => fillPool(deps, campaignId, report));
  await attempt(() => expire(deps, report));
  return report;
}

async function seeTo(
  deps: ReconcileDeps,
  each: Unfinished,
  report: ReconcileReport,
  waitedOn: Set<string>,
): Promise<void> {
  if (each.claim && isOverdue(each.claim, deps.clock)) return endClaim(deps, each.claim, report);
  if (each.claim) waitedOn.add(each.claim.campaignId);
  const { operationId } = each.operation ?? each.claim;
  const repair = await deps.jobs.ensureJob(each, () => deps.ledger.isUnfinished(operationId));
  if (repair.kind === 'made') report.made += 1;
  if (repair.kind === 'taken-up') report.takenUp += 1;
  if (repair.kind !== 'exhausted' || !each.operation) return;
  await failWith(deps, each.operation, new Error(repair.reason));
  report.failedOperations += 1;
}

function isOverdue({ waiting }: Claim, clock: Clock): boolean {
  return waiting !== null && waiting.until.getTime() <= clock.now().getTime();
}

/** With what it has. Its job, which should have seen to that, is made anew if it was lost, so that its asker hears. */
async function endClaim({ stores, jobs }: ReconcileDeps, claim: Claim, report: ReconcileReport): Promise<void> {
  await stores.claims.endWaiting(claim.operationId);
  await jobs.answer(claim);
  report.claimsEnded += 1;
}

async function fillPool({ ledger, jobs }: ReconcileDeps, campaignId: string, report: ReconcileReport): Promise<void> {
  if (!(await ledger.hasClaimable(campaignId))) return;
  await jobs.poolRefilled(campaignId);
  report.poolsFilled += 1;
}

async function expire(
  { ledger, jobs, clock, receiptsKeptDays }: ReconcileDeps,
  report: ReconcileReport,
): Promise<void> {
  if (receiptsKeptDays === 0) return;
  const before = new Date(clock.now().getTime() - receiptsKeptDays * DAY_MS);
  for (let page = 0; page < EXPIRED_PAGES_MAX; page += 1) {
    const ids = await ledger.markExpired(before);
    if (ids.length === 0) return;
    // A job that outlived its operation would do it a second time, should anybody retry it.
    await jobs.forget(ids);
    await ledger.removeExpired(ids);
    report.expired += ids.length;
  }
}
