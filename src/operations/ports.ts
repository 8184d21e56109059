import type { CampaignStore, CreditStore, TexterStore } from '../campaigns/index.ts';
import type { ClaimStore } from '../claims/index.ts';
import type { ConversationStore } from '../conversations/index.ts';
import type { Candidate } from '../domain/conversation.ts';
import type { Credit } from '../domain/credits.ts';
import type { Cancellation, OperationState } from '../domain/operation.ts';
import type { MoveCount, Receipt, SkipCount } from '../domain/receipt.ts';
import type { FailedAttempt, StoredError } from '../domain/stored-error.ts';
import type { Applied, Batch, Shortfall, StoredBatch, UnappliedBatch } from './batch.ts';
import type { OneRequest, OperationRequest } from './contract.ts';
import type { Evaluation, WriteGuard } from './evaluate.ts';
import type { Operation, OperationOrClaim, Plan, Run } from './operation.ts';
import type { AnyOperation } from './view-ports.ts';

/**
 * Another worker has advanced this operation: it planned or applied this batch, or it stopped or ended the operation.
 * The worker that catches this error stops its slice. Nothing has failed.
 */
export class Overtaken extends Error {
  override readonly name = 'Overtaken';
}

export interface Ending {
  readonly state: Extract<OperationState, 'done' | 'cancelled' | 'failed'>;
  readonly at: Date;
  readonly receipt: Receipt | null;
  readonly error?: StoredError;
  /** The credits of the campaign from now on; absent when the operation changes none. */
  readonly credits?: readonly Credit[];
}

/**
 * The reads that become final with an ending. Outside of its transaction, a read right after a failover could miss the
 * last batches, and the receipt would be too small for ever.
 */
export interface EndReads {
  /** Adds up the applied batches. */
  totals(): Promise<{ readonly moves: readonly MoveCount[]; readonly skipped: readonly SkipCount[] }>;
  /** Returns the newest `limit` batches, oldest first. */
  recent(limit: number): Promise<StoredBatch[]>;
  /** Returns the credits of the campaign. */
  credits(): Promise<Credit[]>;
}

export interface Start {
  /** True when the operation takes the campaign lock in the same write. */
  readonly takesLock: boolean;
  readonly plan: Plan;
  readonly startedAt: Date;
}

/** A running operation whose moves fit one batch, of which nothing is stored. */
export interface WholeOperation {
  readonly operation: Operation;
  readonly batch: Batch;
  readonly endMarker: Batch;
  readonly guard: WriteGuard;
}

/** A single move before its end, with its only batch. */
export interface PlannedMove {
  readonly request: OneRequest;
  readonly batch: Batch;
}

/** A single move that has ended. */
export interface MovedOperation {
  readonly operation: Operation;
  readonly batch: Batch;
  readonly endMarker: Batch;
}

/** Makes the operation of a single move from the conversation as it was. */
export type DecideMove = (found: Promise<Candidate | undefined>, at: Date) => Promise<MovedOperation | undefined>;

/** Every method that changes an operation returns it as it is stored afterwards, also when another worker changed it. */
export interface OperationStore {
  find(operationId: string): Promise<Operation | undefined>;
  /** Finds an operation or claim. One that is being deleted is not found, because some of its batches may be gone. */
  findOperationOrClaim(operationId: string): Promise<OperationOrClaim | undefined>;
  /**
   * Inserts a new operation, or returns the one that has its id already. With `inSequence`, the operation gets the next
   * number of its campaign in the same transaction, so that no number becomes visible before a lower one.
   */
  accept(operation: Omit<Operation, 'sequence'>, inSequence: boolean): Promise<Operation>;
  /**
   * Replaces a refused operation, which has moved nothing, with the one that was sent again. Returns the operation as it is
   * stored then.
   */
  acceptAnew(operation: Omit<Operation, 'sequence'>): Promise<Operation>;
  /**
   * Inserts new operations of one campaign with the next numbers, in this order and in one transaction. Returns them with their
   * numbers. Writes nothing and returns `undefined` when an id exists or when the queue of the campaign has no room for all.
   */
  acceptMany(operations: readonly Omit<Operation, 'sequence'>[]): Promise<readonly Operation[] | undefined>;
  /** Returns those of the ids that belong to an operation, and whether it was refused and can be sent again. */
  acceptedAmong(operationIds: readonly string[]): Promise<ReadonlyMap<string, 'accepted' | 'resendable'>>;
  /** Returns those of the operations that have ended. */
  endedAmong(operationIds: readonly string[]): Promise<readonly Operation[]>;
  /** Returns those of the ids that belong to an operation or claim. */
  knownAmong(operationIds: readonly string[]): Promise<ReadonlySet<string>>;
  /**
   * Moves one conversation at once, in one transaction with its operation. `decide` is called with the conversation as it was
   * and the time of the move, perhaps several times. Returns `undefined`, and writes nothing, when `decide` returns
   * `undefined`, when the id exists, or when the conversation or its target is not as the request needs it.
   */
  moveNow(request: OneRequest, decide: DecideMove): Promise<Operation | undefined>;
  /**
   * Writes single moves of one campaign, and then their operations, in one transaction. Returns false, and writes nothing, when an
   * id exists, when a conversation or target is not as planned, or when a move met another writer.
   */
  insertDone(moves: readonly PlannedMove[], at: Date, ended: Promise<readonly MovedOperation[]>): Promise<boolean>;
  /**
   * Sets an accepted operation to running with its plan. Returns `undefined` while another operation has the lock, and when the
   * operation was reopened meanwhile.
   */
  start(operation: Operation, start: Start): Promise<Operation | undefined>;
  /**
   * Returns true while an operation of the campaign that was accepted before this one has not ended. When none is left, this
   * one is the first: no other can take the lock.
   */
  mustWait(operation: Pick<Operation, 'campaignId' | 'sequence'>): Promise<boolean>;
  /** Stores the plan of a run that was started without one, unless it has one, or is to fail or to be cancelled. */
  storePlan(run: Run, plan: Plan, startedAt: Date): Promise<Operation>;
  /**
   * Ends the waiting claims of the texters that a running operation takes from, once, and counts them on the operation.
   * Returns the ids of the claims that this call ended.
   */
  endClaimsOfSources(
    operation: Operation,
    plan: Plan,
  ): Promise<{ readonly operation: Operation; readonly claimIds: readonly string[] }>;
  /** Records that a run is to fail, and why, before anything is stopped. The first recorded reason to stop stays. */
  recordError(run: Run, error: StoredError): Promise<Operation>;
  /** Records that a run is to be cancelled, before anything is stopped. The first recorded reason to stop stays. */
  recordCancellation(run: Run, cancellation: Cancellation): Promise<Operation>;
  /** Returns true when the run has ended, or is to fail or to be cancelled. */
  isStopped(run: Run): Promise<boolean>;
  /**
   * Ends a run once. A run that is to fail or to be cancelled never becomes done. `decide` reads in the transaction that
   * stores its result, and may be called again.
   */
  end(run: Operation, decide: (reads: EndReads) => Promise<Ending>): Promise<Operation>;
  /**
   * Writes the moves, the batches and the end of an operation in one transaction. Returns `undefined`, and writes nothing, when a
   * conversation or target is not as planned, and when the run was stopped or has batches. Throws `WriteConflict`, and writes
   * nothing, when another program wrote the same conversations. The batch is then stored and applied in parts.
   */
  endAtOnce(
    whole: WholeOperation,
    decide: (reads: Pick<EndReads, 'credits'>) => Promise<Ending>,
  ): Promise<Operation | undefined>;
  /** Returns the operation that has the campaign lock, or else the accepted one with the lowest sequence. */
  nextOperation(campaignId: string): Promise<Operation | undefined>;
}

/** The sequences of operations that wait for others of their campaign. Both are included. */
export interface QueuedRange {
  readonly first: number;
  readonly last: number;
}

export interface QueuedCancellation extends QueuedRange {
  readonly campaignId: string;
  readonly cancellation: Cancellation;
  readonly receiptOf: (operation: Operation) => Receipt;
}

export interface CancelledPage {
  /** Those that this call has cancelled, and those that an earlier one with the same cancellation has. */
  readonly cancelled: readonly Operation[];
  /** Not cancelled: these were reopened, and may have moved conversations before. */
  readonly reopened: readonly Operation[];
  /** The sequence from which the next page starts; absent after the last page. */
  readonly next?: number;
}

/** The bulk operations of a campaign that wait for others. */
export interface QueuedStore {
  /** Returns the range of the operations that wait now; `undefined` when none does. */
  range(campaignId: string): Promise<QueuedRange | undefined>;
  /** Cancels the first operations of a range that wait, at most `limit`, in one transaction. */
  cancel(queue: QueuedCancellation, limit: number): Promise<CancelledPage>;
}

/** How a batch is applied. */
export interface ApplyOptions {
  readonly guard: WriteGuard;
  /** The most conversations that one transaction moves. */
  readonly sizeMax: number;
  /** True to write as planned first, without reading a conversation. */
  readonly asPlanned: boolean;
}

/** The end of an operation's list of batches. */
export interface LastBatches {
  readonly newest: StoredBatch;
  /** Oldest first. */
  readonly unapplied: readonly StoredBatch[];
}

export interface BatchStore {
  /** Stores a planned batch. Throws {@link Overtaken} when its number exists. */
  insert(batch: Batch): Promise<void>;
  /** Closes the list of batches. Throws {@link Overtaken} when the number exists. */
  insertEndMarker(endMarker: Batch): Promise<void>;
  /** Returns the newest `limit` batches, oldest first. */
  recent(operationId: string, limit: number): Promise<StoredBatch[]>;
  /**
   * Returns the newest batch and those that are not applied; `undefined` when there is no batch. Other batches have thousands
   * of ids too, so only their states are read.
   */
  last(operationId: string): Promise<LastBatches | undefined>;
  /** Returns the first `limit` batches with a higher number, in order. */
  readAfter(operationId: string, number: number, limit: number): Promise<StoredBatch[]>;
  /** Returns every shortfall of an operation so far, by batch. */
  shortfalls(operationId: string): Promise<{ readonly number: number; readonly shortfalls: readonly Shortfall[] }[]>;
  /** Returns the conversations that the operation has skipped; when there are more than `idsMax`, only some of them. */
  skipped(operationId: string, idsMax: number): Promise<readonly string[]>;
  /** Returns those of the conversations that the operation has skipped. It reads every batch that has skips. */
  skippedAmong(operationId: string, conversationIds: readonly string[]): Promise<ReadonlySet<string>>;
  /**
   * Writes the next part of a batch, in one transaction. The part that completes the batch marks it as applied. When
   * another worker has written this part, it only returns the stored batch. Throws `WriteConflict`, and writes nothing,
   * when another program wrote the same conversations.
   */
  apply(batch: UnappliedBatch, request: OperationRequest, options: ApplyOptions): Promise<Applied>;
  /** Evaluates a batch without writing anything. */
  evaluate(batch: Batch, request: OperationRequest, guard: WriteGuard): Promise<Evaluation>;
  /** Closes the list of batches of an unfinished run at its current end, and drops what is not applied. */
  stop(operation: Operation): Promise<void>;
}

export interface Stores {
  readonly campaigns: CampaignStore;
  readonly texters: TexterStore;
  readonly credits: CreditStore;
  readonly conversations: ConversationStore;
  readonly operations: OperationStore;
  readonly queued: QueuedStore;
  readonly batches: BatchStore;
  readonly claims: ClaimStore;
}

export interface FailureStore {
  /** Adds a failed attempt to an operation or claim, if one with this request is stored. */
  note(operationId: string, requestHash: string, attempt: FailedAttempt): Promise<void>;
  /** Returns the failed operations and claims that can be retried, of one campaign or of all, oldest first. */
  failedOperations(campaignId: string | undefined): AsyncIterable<AnyOperation>;
  /**
   * Makes a failed operation `accepted` again. It continues where it stopped, after the operations that its campaign has
   * accepted since. Returns `undefined` when the operation cannot be reopened, or another process has reopened it.
   */
  reopen(operationId: string): Promise<Operation | undefined>;
}
