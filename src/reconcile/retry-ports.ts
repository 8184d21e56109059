import type { FailedAttempt } from '../domain/failed-attempt.ts';
import type { Operation } from '../operations/index.ts';
import type { AnyOperation } from '../operations/index.ts';

/** What went wrong, as the ledger keeps it. */
export interface FailureStore {
  /** Notes a failed attempt on an operation or claim, if the ledger has it and it stands for this request. */
  note(operationId: string, requestHash: string, attempt: FailedAttempt): Promise<void>;
  /** Everything that was given up or halted and not reopened since, of one campaign or of all, oldest first. */
  failedOperations(campaignId: string | undefined): AsyncIterable<AnyOperation>;
  /**
   * Makes what was given up or halted `accepted` again, exactly where it stopped: its list of batches is open, what was
   * dropped is planned, and it queues behind what was accepted meanwhile. `undefined` when there is nothing to reopen:
   * somebody else has, or it is no such operation.
   */
  reopen(operationId: string): Promise<Operation | undefined>;
}

/** A job that used its attempts up. One that was refused is an answer, and none of these. */
export interface FailedJob {
  readonly operationId: string;
  readonly campaignId: string;
  readonly kind: AnyOperation['request']['kind'];
  readonly attempts: number;
  readonly last: FailedAttempt;
}

/** Operations' and claims' jobs, as far as failing goes. */
export interface FailedJobs {
  /** In no particular order. */
  all(): AsyncIterable<FailedJob>;
  /** The operation's failed job; `alive` when it has one that goes on by itself. */
  find(operationId: string): Promise<FailedJob | 'alive' | undefined>;
  /** Gives a failed job its attempts back. False when it is failed no more: somebody else did. */
  takeUp(operationId: string): Promise<boolean>;
  /** Sees to it that an operation that was reopened has a job that is new. */
  renew(operation: Operation): Promise<void>;
}
