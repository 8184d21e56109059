import type { JobRepair } from '../queue/ensure-job.ts';
import type { Claim } from '../claims/index.ts';
import type { Operation } from '../operations/index.ts';

/** Whatever the ledger holds unfinished. Both at once are never there. */
export type Unfinished =
  { readonly operation: Operation; readonly claim?: never } | { readonly claim: Claim; readonly operation?: never };

export interface ReconcileStore {
  /** Everything unfinished, page by page, in the order of acceptance. */
  unfinished(): AsyncIterable<readonly Unfinished[]>;
  /** Whether it is unfinished still. */
  isUnfinished(operationId: string): Promise<boolean>;
  /** Whether a campaign's pool has anything that a claim could be given. */
  hasClaimable(campaignId: string): Promise<boolean>;
  /**
   * Some of what ended before this, marked so that nobody reopens it any more: at most a page of ids, none when there is
   * no more. Asked again before they are removed, it answers the same.
   */
  markExpired(before: Date): Promise<readonly string[]>;
  /** Removes what was marked: batches first, so that what remains of an operation is never without the operation. */
  removeExpired(operationIds: readonly string[]): Promise<void>;
}

/** The queues, as far as the reconcile mends them. */
export interface ReconciledJobs {
  /** Sees to it that an unfinished operation or claim has a job; `isUnfinished` is asked again before one is made. */
  ensureJob(unfinished: Unfinished, isUnfinished: () => Promise<boolean>): Promise<JobRepair>;
  /** Sees to it that whoever waits for a claim that has ended hears of it. */
  answer(claim: Claim): Promise<void>;
  poolRefilled(campaignId: string): Promise<void>;
  /** Removes what is left in the queues of operations and claims that the ledger is about to forget. */
  forget(operationIds: readonly string[]): Promise<void>;
}
