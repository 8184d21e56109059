import type { Clock } from '../domain/operation.ts';
import { failWith, isClaim, type OperationOrClaim, type Stores } from '../operations/index.ts';
import type { JobRepair } from '../queue/job-state.ts';
import type { ReconciledJobs, ReconcileStore } from './ports.ts';

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

export interface Pass {
  readonly report: ReconcileReport;
  /** The campaigns whose running or first waiting operation had no job. */
  readonly campaignsWithLostJobs: Set<string>;
  /** The campaigns of which a waiting claim had no job. */
  readonly campaignsWithLostClaims: Set<string>;
}

export function emptyReport(): ReconcileReport {
  const jobs = { jobsRestored: 0, jobsCreated: 0, jobsRetried: 0 };
  return { ...jobs, failed: 0, claimsEnded: 0, poolsNotified: 0, expired: 0, errors: [] };
}

/** Runs one step. The report keeps its error, and the other steps go on. */
export async function attempt(report: ReconcileReport, step: () => Promise<unknown>): Promise<void> {
  try {
    await step();
  } catch (error) {
    report.errors.push(error instanceof Error ? error : new Error(String(error)));
  }
}

/** Makes sure that an operation or claim has a job. Records an operation as failed when workers die whenever they run it. */
export async function ensureJob(
  deps: ReconcileDeps,
  each: OperationOrClaim,
  { report, campaignsWithLostJobs, campaignsWithLostClaims }: Pass,
): Promise<JobRepair> {
  const repair = await deps.jobs.ensureJob(each, () => deps.reconcileStore.isUnfinished(each.operationId));
  if (repair.kind === 'created') {
    report.jobsCreated += 1;
    (isClaim(each) ? campaignsWithLostClaims : campaignsWithLostJobs).add(each.campaignId);
  }
  if (repair.kind === 'retried') report.jobsRetried += 1;
  if (repair.kind !== 'exhausted' || isClaim(each)) return repair;
  await failWith(deps, each, new Error(repair.reason));
  report.failed += 1;
  return repair;
}
