import type { Claim } from '../claims/index.ts';
import type { Clock } from '../domain/operation.ts';
import { failWith, isClaim, type Operation, type OperationOrClaim, type Stores } from '../operations/index.ts';
import type { JobRepair } from '../queue/job-state.ts';
import type { ReconciledJobs, ReconcileStore } from './ports.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;

/** One pass removes at most this many pages. The next pass removes the rest. */
const PAGES_MAX = 100;

export interface ReconcileDeps {
  readonly stores: Stores;
  readonly reconcileStore: ReconcileStore;
  readonly jobs: ReconciledJobs;
  readonly clock: Clock;
  /** How long ended operations are kept, in days. 0 keeps them for ever. */
  readonly receiptsKeptDays: number;
}

/** The number of changes that one reconcile pass made. */
export interface ReconcileReport {
  /** Jobs that were in no list of their queue and therefore would never have run. */
  jobsRestored: number;
  /** Jobs created for unfinished operations and claims that had none. */
  jobsCreated: number;
  /** Failed jobs of operations and claims that were not recorded as failed. */
  jobsRetried: number;
  /** Operations recorded as failed because workers die whenever they run the job. */
  failed: number;
  /** Waiting claims whose deadline had passed. */
  claimsEnded: number;
  /** Campaigns with waiting claims and conversations in the pool. */
  poolsNotified: number;
  /** Ended operations and claims that were removed because of their age. */
  expired: number;
  /** Errors of single steps. They did not stop the other steps. */
  readonly errors: Error[];
}

interface Pass {
  readonly report: ReconcileReport;
  readonly campaignsWithWaitingClaims: Set<string>;
  /** The campaigns whose running or first waiting operation had no job. */
  readonly campaignsWithLostJobs: Set<string>;
}

/**
 * Runs one reconcile pass: repairs differences between the database, which has every operation, and the queue, which may
 * have lost jobs, and removes old operations. Leaves work in progress alone. Safe to repeat and to run in parallel.
 */
export async function reconcile(deps: ReconcileDeps): Promise<ReconcileReport> {
  const report = emptyReport();
  const pass: Pass = { report, campaignsWithWaitingClaims: new Set(), campaignsWithLostJobs: new Set() };
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
  for (const campaignId of pass.campaignsWithWaitingClaims) {
    await attempt(report, () => notifyPool(deps, campaignId, report));
  }
  await attempt(report, () => expire(deps, report));
  return report;
}

function emptyReport(): ReconcileReport {
  const jobs = { jobsRestored: 0, jobsCreated: 0, jobsRetried: 0 };
  return { ...jobs, failed: 0, claimsEnded: 0, poolsNotified: 0, expired: 0, errors: [] };
}

async function attempt(report: ReconcileReport, step: () => Promise<unknown>): Promise<void> {
  try {
    await step();
  } catch (error) {
    report.errors.push(error instanceof Error ? error : new Error(String(error)));
  }
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
  if (isClaim(each) && isOverdue(each, deps.clock)) return endClaim(deps, each, pass.report);
  if (isClaim(each)) pass.campaignsWithWaitingClaims.add(each.campaignId);
  const repair = await ensureJob(deps, each, pass);
  // The job of a queued operation that is to end may be snoozed until its turn.
  if (repair.kind === 'kept' && !isClaim(each) && isStopped(each)) await deps.jobs.wake(each);
}

function isStopped({ state, error, cancellation }: Operation): boolean {
  return state === 'accepted' && (error !== null || cancellation !== null);
}

async function ensureJob(
  deps: ReconcileDeps,
  each: OperationOrClaim,
  { report, campaignsWithLostJobs }: Pass,
): Promise<JobRepair> {
  const repair = await deps.jobs.ensureJob(each, () => deps.reconcileStore.isUnfinished(each.operationId));
  if (repair.kind === 'created') {
    report.jobsCreated += 1;
    if (!isClaim(each)) campaignsWithLostJobs.add(each.campaignId);
  }
  if (repair.kind === 'retried') report.jobsRetried += 1;
  if (repair.kind !== 'exhausted' || isClaim(each)) return repair;
  await failWith(deps, each, new Error(repair.reason));
  report.failed += 1;
  return repair;
}

function isOverdue({ waiting }: Claim, clock: Clock): boolean {
  return waiting !== null && waiting.until.getTime() <= clock.now().getTime();
}

/** The claim's own job should have ended the claim. The claim keeps the conversations that it has received. */
async function endClaim({ stores, jobs }: ReconcileDeps, claim: Claim, report: ReconcileReport): Promise<void> {
  await stores.claims.endWaiting(claim.operationId);
  await jobs.answer(claim);
  report.claimsEnded += 1;
}

async function notifyPool(deps: ReconcileDeps, campaignId: string, report: ReconcileReport): Promise<void> {
  const ended = await deps.stores.claims.endRefused(campaignId);
  report.claimsEnded += ended.length;
  if (!(await deps.reconcileStore.hasClaimable(campaignId))) return;
  await deps.jobs.poolRefilled(campaignId);
  report.poolsNotified += 1;
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
