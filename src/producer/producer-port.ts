import type { ClaimInput } from '../claims/contract.ts';
import type { EraseAnswer, OptOutAnswer, PersonRequest } from '../contacts/contract.ts';
import type { Receipt } from '../domain/receipt.ts';
import type { CancelInput, CancelQueuedInput, PreviewRequest, RequestInput } from '../operations/contract.ts';
import type { MovesInput } from '../operations/moves-job.ts';
import type { CancelAnswer, CancelQueuedAnswer } from '../operations/jobs.ts';
import type { MovesPage } from '../operations/moves-job.ts';
import type { FoundOperation, Preview } from '../operations/read-jobs.ts';
import type { WaitOptions } from '../queue/result-waiter.ts';

export interface ProducerOptions {
  /** `redis://[[user]:password@]host[:port][/db]`. Several addresses, separated by commas, are nodes of one cluster. */
  readonly redisUrl: string;
  /** The prefix of every key in Redis. Must be the prefix that the workers use. Default: `{baton}`. */
  readonly prefix?: string;
  /**
   * The id of the database that the workers must use; `baton doctor` shows it. If the queues belong to another database, the
   * methods throw a `Refusal` (`other-database`) and send nothing. Default: any database.
   */
  readonly databaseId?: string;
  /** Called on connection errors; the connection recovers by itself. Default: no callback. */
  readonly onError?: (error: Error) => void;
}

/** The result of an operation that ended as `done` or `cancelled`. */
export interface OperationResult {
  readonly operationId: string;
  /** `created`: this call created the operation. `exists`: an earlier call with the same request did. */
  readonly outcome: 'created' | 'exists';
  readonly state: 'done' | 'cancelled';
  /** Counts of conversations, taken from what was written. Assignees are texter ids; `null` is the pool. */
  readonly receipt: Receipt;
  /** Only from {@link Producer.result} of a claim: the conversations that the texter received. */
  readonly conversationIds?: readonly string[];
}

/** An operation that the queue has confirmed. */
export interface Sent {
  readonly operationId: string;
  /**
   * Waits for the operation to end, for 60 seconds unless `waitMs` says otherwise. Can be called again at any time: to
   * wait in another process, send the same request again. If it has ended, a worker answers what the database has.
   *
   * Throws:
   * - `Refusal`: the operation was refused and changed nothing. `code` is one of `REFUSAL_CODES`.
   * - `Halted` (`targets-lost`, `closed-meanwhile`): the operation stopped half-way. What it moved stays moved.
   * - `JobFailed` (`operation-failed`): the attempts were used up on transient errors. `baton retry` continues the
   *   operation.
   * - `UnknownFailure`: a newer worker ended the operation with a code that this version does not know.
   * - `WaitTimeout` (`wait-timeout`): the time to wait is over. The operation continues.
   * - `ProducerClosed` (`producer-closed`): the producer was closed meanwhile. The operation continues.
   * - `QueueUnavailable` (`queue-unavailable`): Redis no longer has the job, and the operation has not ended, or no worker
   *   could say so. Send the same request again.
   */
  result(options?: Partial<WaitOptions>): Promise<OperationResult>;
}

/** The result of a claim. */
export interface ClaimResult {
  readonly operationId: string;
  /** `created`: this call created the claim. `exists`: an earlier call with the same request did. */
  readonly outcome: 'created' | 'exists';
  /** The conversations that the texter received, in the order they were assigned: longest waiting first. */
  readonly conversationIds: readonly string[];
  readonly receipt: Receipt;
}

/** A claim that the queue has confirmed. */
export interface SentClaim {
  readonly operationId: string;
  /** Waits for the claim to end. Throws the errors of {@link Sent.result}. */
  result(options?: Partial<WaitOptions>): Promise<ClaimResult>;
}

/**
 * Sends requests to Baton's workers. Needs only Redis.
 *
 * Every method checks its input first and throws a `Refusal` (`bad-request`) without sending anything. A method whose id
 * belongs to a different request throws a `Refusal` (`operation-conflict`). When Redis cannot be reached, a method throws
 * `QueueUnavailable` within seconds. The request may have been stored then; sending it again with the same id is safe.
 */
export interface Producer {
  /** Moves conversations from the pool or from texters to texters: all that match, or the first `count`. */
  reassign(request: RequestInput<'reassign'>): Promise<Sent>;
  /** Moves a single conversation to a texter. */
  reassignOne(request: RequestInput<'reassign-one'>): Promise<Sent>;
  /** Returns texters' conversations to the pool: the first `count`, or all of them, which `confirm` must confirm. */
  unassign(request: RequestInput<'unassign'>): Promise<Sent>;
  /** Returns a single conversation to the pool. */
  unassignOne(request: RequestInput<'unassign-one'>): Promise<Sent>;
  /** Moves up to 2,000 chosen conversations to a texter. The receipt says for each what became of it. */
  reassignList(request: RequestInput<'reassign-list'>): Promise<Sent>;
  /** Returns up to 2,000 chosen conversations to the pool. The receipt says for each what became of it. */
  unassignList(request: RequestInput<'unassign-list'>): Promise<Sent>;
  /**
   * Returns the conversations that an operation moved to their earlier assignees. Those that have moved since are skipped as
   * `assignee-changed`, and those whose status or messages have changed since as `worked-on`, unless `includeWorkedOn` is
   * true. After a refusal because the operation is unknown or has not ended, the same undo may be sent again.
   */
  undo(request: RequestInput<'undo'>): Promise<Sent>;
  /**
   * Stops an operation or a waiting claim, and waits for its receipt: how many conversations had moved, and how many were
   * left. Cancelling it again returns the same receipt. Throws a `Refusal` (`unknown-operation`, `operation-ended`) and
   * the errors of {@link Sent.result}.
   */
  cancel(request: CancelInput, options?: Partial<WaitOptions>): Promise<CancelAnswer>;
  /**
   * Cancels the operations of a campaign that wait for others, and waits for their number. It covers the operations that
   * `baton operations` shows as accepted when a worker takes the request; their receipts do not count what is left. The one that
   * runs continues, and so does one that starts before it can be cancelled. Safe to repeat. Throws a `Refusal`
   * (`unknown-campaign`) and the errors of {@link Sent.result}. After `WaitTimeout` the job continues.
   */
  cancelQueued(request: CancelQueuedInput, options?: Partial<WaitOptions>): Promise<CancelQueuedAnswer>;
  /**
   * Opts a person out of a campaign, named by phone number (E.164) or by conversation, and waits until this holds: no texter
   * gets a conversation of theirs any more. Safe to repeat. The phone number is in Redis only until a worker has run the
   * job. Throws a `Refusal` (`unknown-campaign`, `unknown-conversation`) and the errors of {@link Sent.result}. After
   * `WaitTimeout` the job continues.
   */
  optOut(request: PersonRequest, options?: Partial<WaitOptions>): Promise<OptOutAnswer>;
  /** Lifts the opt-out of a person. Nothing else lifts it. Safe to repeat. Throws the errors of {@link optOut}. */
  liftOptOut(request: PersonRequest, options?: Partial<WaitOptions>): Promise<OptOutAnswer>;
  /**
   * Erases a person from a campaign: name, phone number and external id are removed from their conversations, from reasons
   * and errors of operations, and from the queues. The conversations stay, closed and opted out for ever, so counts and
   * receipts stay true, and no import brings the number back. It cannot be undone. Safe to repeat. Throws the errors of
   * {@link optOut}.
   */
  erase(request: PersonRequest, options?: Partial<WaitOptions>): Promise<EraseAnswer>;
  /**
   * Asks a worker what the database has of an operation or claim, also when the queue has forgotten it. Throws a `Refusal`
   * (`unknown-operation`) when no worker has accepted it, and `WaitTimeout` when no worker answers.
   */
  get(operationId: string, options?: Partial<WaitOptions>): Promise<FoundOperation>;
  /**
   * Waits for the end of an operation or claim that was sent earlier, without its request: after a restart, for example.
   * Throws a `Refusal` (`unknown-operation`) and the errors of {@link Sent.result}.
   */
  result(operationId: string, options?: Partial<WaitOptions>): Promise<OperationResult>;
  /** Assigns a texter more conversations from the pool, longest waiting first, within the campaign's limits. */
  selfAssign(request: ClaimInput): Promise<SentClaim>;
  /**
   * Starts a round for the waiting claims of a campaign. Call it after another program has returned conversations to
   * the pool or raised a limit; Baton's own operations do so themselves. Extra calls do no harm.
   */
  poolRefilled(campaignId: string): Promise<void>;
  /** Returns what an operation would do now. Changes nothing. Throws the errors of {@link Sent.result}. */
  preview(request: PreviewRequest, options?: Partial<WaitOptions>): Promise<Preview>;
  /**
   * Returns a page of what an operation or claim has done, conversation by conversation: each moved, or was skipped for a
   * reason. `next` of a page is `after` of the following one, and `null` after the last. While the operation runs, a page
   * can be empty: its `next` continues later. A retry continues a failed operation, so read it from the beginning then.
   * Throws a `Refusal` (`unknown-operation`) and the errors of {@link Sent.result}.
   */
  moves(request: MovesInput, options?: Partial<WaitOptions>): Promise<MovesPage>;
  /**
   * Closes the connections, in at most a second. Calls that still wait, and later calls, throw `ProducerClosed` at once.
   */
  close(): Promise<void>;
}
