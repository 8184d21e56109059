import type {
  CancelAnswer,
  CancelQueuedAnswer,
  EraseAnswer,
  FoundOperation,
  MovesPage,
  OptOutAnswer,
  Preview,
  WaitOptions,
} from '../domain/answers.ts';
import type {
  CancelInput,
  CancelQueuedInput,
  ClaimInput,
  MovesInput,
  OperationInput,
  PersonRequest,
  PreviewInput,
  ReassignInput,
  ReassignListInput,
  ReassignOneInput,
  UnassignInput,
  UnassignListInput,
  UnassignOneInput,
  UndoInput,
} from '../domain/inputs.ts';
import type { Receipt } from '../domain/receipt.ts';

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
  /** The trace in which the operation was created; absent when its request named none. */
  readonly traceparent?: string;
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

/** What became of one request of {@link Producer.sendAll}. */
export type SentOfMany =
  | { readonly operationId: string; readonly sent: Sent; readonly error?: undefined }
  | { readonly operationId: string; readonly sent?: undefined; readonly error: Error };

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
  reassign(request: ReassignInput): Promise<Sent>;
  /** Moves a single conversation to a texter. */
  reassignOne(request: ReassignOneInput): Promise<Sent>;
  /** Returns texters' conversations to the pool: the first `count`, or all of them, which `confirm` must confirm. */
  unassign(request: UnassignInput): Promise<Sent>;
  /** Returns a single conversation to the pool. */
  unassignOne(request: UnassignOneInput): Promise<Sent>;
  /** Moves up to 2,000 chosen conversations to a texter. The receipt says for each what became of it. */
  reassignList(request: ReassignListInput): Promise<Sent>;
  /** Returns up to 2,000 chosen conversations to the pool. The receipt says for each what became of it. */
  unassignList(request: UnassignListInput): Promise<Sent>;
  /**
   * Returns the conversations that an operation moved to their earlier assignees. Those that have moved since are skipped as
   * `assignee-changed`, and those whose status or messages have changed since as `worked-on`, unless `includeWorkedOn` is
   * true. After a refusal because the operation is unknown or has not ended, the same undo may be sent again.
   */
  undo(request: UndoInput): Promise<Sent>;
  /**
   * Sends many requests, each with its `kind`, in their order. Checks all of them first: if one cannot be read, it throws a
   * `Refusal` that names its place in the list, and sends none. Then it returns for each request either what was sent or the
   * error of this request, in the order of the list. The requests that failed may be sent again, as may all.
   */
  sendAll(requests: readonly OperationInput[]): Promise<readonly SentOfMany[]>;
  /**
   * Stops an operation or a waiting claim, and waits for its receipt: how many conversations had moved, and how many were
   * left. Cancelling it again returns the same receipt. Throws a `Refusal` (`unknown-operation`, `operation-ended`) and
   * the errors of {@link Sent.result}.
   */
  cancel(request: CancelInput, options?: Partial<WaitOptions>): Promise<CancelAnswer>;
  /**
   * Cancels the operations of a campaign that wait for others, and waits for their number. It covers the operations that
   * `baton operations` shows as accepted when a worker takes the request; their receipts do not count what is left. Operations
   * that were sent but not yet accepted are not covered: they run later. The one that runs continues, and so does one that
   * starts before it can be cancelled. Safe to repeat. Throws a `Refusal`
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
  /**
   * Assigns a texter more conversations from the pool, longest waiting first, within the campaign's limits. A texter has one
   * waiting claim at a time: a newer one that waits ends the older with what it has, and `shortBecause` is `replaced`.
   */
  selfAssign(request: ClaimInput): Promise<SentClaim>;
  /**
   * Starts a round for the waiting claims of a campaign. Call it after another program has returned conversations to
   * the pool or raised a limit; Baton's own operations do so themselves. Extra calls do no harm.
   */
  poolRefilled(campaignId: string): Promise<void>;
  /**
   * Returns what an operation would do now. Changes nothing, and needs no `operationId`. The request has a `kind`, which is
   * the name of the method in lower case: `reassign`, `unassign`, `reassign-list`, `unassign-list` or `undo`. Throws the errors of
   * {@link Sent.result}.
   */
  preview(request: PreviewInput, options?: Partial<WaitOptions>): Promise<Preview>;
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
