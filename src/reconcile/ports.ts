import type { Claim } from '../claims/index.ts';
import type { DatabaseAge } from '../domain/database-age.ts';
import type { FailedAttempt } from '../domain/stored-error.ts';
import type { AnyOperation, Operation, OperationOrClaim } from '../operations/index.ts';
import type { KnownAmong } from '../queue/ended-jobs.ts';
import type { JobRepair } from '../queue/job-state.ts';
import type { QueueOwner, WentBack } from '../queue/queue-owner.ts';

export interface ReconcileStore {
  /**
   * Returns all unfinished operations and claims except queued bulk operations and waiting claims, in pages, in the order of
   * acceptance.
   */
  unfinished(): AsyncIterable<readonly OperationOrClaim[]>;
  /** Returns the first waiting bulk operation of each campaign. Costs one query for each campaign. */
  firstQueued(): AsyncIterable<Operation>;
  /** Returns the waiting bulk operations of a campaign in their order, in pages. */
  queued(campaignId: string): AsyncIterable<readonly Operation[]>;
  /** Returns true if a bulk operation of the campaign has the campaign lock. */
  hasRunning(campaignId: string): Promise<boolean>;
  isUnfinished(operationId: string): Promise<boolean>;
  /** Returns a waiting claim of each campaign that has one. Costs one query for each campaign. */
  firstWaiting(): AsyncIterable<Claim>;
  /** Returns all waiting claims of a campaign, in pages. */
  waitingOf(campaignId: string): AsyncIterable<readonly Claim[]>;
  /** Returns one page of all waiting claims. Each call returns the next page, and at the end the first one again. */
  nextWaiting(): Promise<readonly Claim[]>;
  /** Returns the waiting claims whose deadline has passed, in pages. */
  overdueClaims(): AsyncIterable<readonly Claim[]>;
  /** Returns the claims that have stopped waiting, and whose job may not know it, in pages. */
  claimsToWake(): AsyncIterable<readonly Claim[]>;
  /**
   * Marks one page of operations that ended before this time, so that they can no longer be reopened, and returns their
   * ids; none when there are no more. Returns the same ids again until they are removed.
   */
  markExpired(before: Date): Promise<readonly string[]>;
  /** Counts one more reconcile pass. Returns the age of the database before and after it, or `undefined` without a schema. */
  countPass(): Promise<{ readonly before: DatabaseAge | null; readonly after: DatabaseAge } | undefined>;
  /** Returns those of the operations and claims that the database knows. */
  knownAmong(operationIds: readonly string[]): Promise<ReadonlySet<string>>;
  /** Removes marked operations. Removes their batches first, so that a batch never exists without its operation. */
  removeExpired(operationIds: readonly string[]): Promise<void>;
}

/** The changes to jobs that a reconcile pass makes. */
export interface ReconciledJobs {
  /** Makes the jobs run that the queue has but would never run, and returns their number. */
  restoreLost(): Promise<number>;
  /** Makes sure that an unfinished operation or claim has a job that will run; see `ensureJob` of the queue. */
  ensureJob(unfinished: OperationOrClaim, isUnfinished: () => Promise<boolean>): Promise<JobRepair>;
  /** Makes the job of a waiting operation run now. */
  wake(operation: Operation): Promise<void>;
  /** Makes the job of a claim that has ended run. Returns false when it is not sure that the job finds the end. */
  answer(claim: Claim): Promise<boolean>;
  /** Starts a round for the waiting claims of a campaign. */
  poolRefilled(campaignId: string): Promise<void>;
  /** Removes the jobs of operations and claims that are about to be removed from the database. */
  forget(operationIds: readonly string[]): Promise<void>;
}

/** What Redis remembers of the database that its queues belong to. */
export interface QueueMemory {
  /** Returns `null` when Redis has seen no database, or was emptied. */
  read(): Promise<QueueOwner | null>;
  noteAge(age: DatabaseAge, wentBack: WentBack | null): Promise<void>;
  /** Removes the answers about operations and claims that the database does not know, and returns their number. */
  forgetUnknown(knownAmong: KnownAmong): Promise<number>;
}

/** A job that used up its attempts on transient errors. */
export interface FailedJob {
  readonly operationId: string;
  readonly campaignId: string;
  readonly kind: AnyOperation['request']['kind'];
  readonly attempts: number;
  readonly last: FailedAttempt;
}

/** The failed jobs of operations and claims. */
export interface FailedJobs {
  /** Returns all failed jobs, in no particular order. */
  all(): AsyncIterable<FailedJob>;
  /** Returns an operation's failed job, or `will-run` when its job runs without a retry. */
  find(operationId: string): Promise<FailedJob | 'will-run' | undefined>;
  /** Resets the attempts of a failed job, so that it runs again. Returns false when the job is no longer failed. */
  retry(operationId: string): Promise<boolean>;
  /** Makes sure that a reopened operation has a job that will run. */
  renew(operation: Operation): Promise<void>;
}
