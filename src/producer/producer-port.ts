import type { Preview, RequestInput } from '../operations/index.ts';
import type { Receipt } from '../domain/receipt.ts';
import type { WaitOptions } from '../queue/answers.ts';
import type { PreviewRequest } from '../operations/index.ts';
import type { CancelAnswer, CancelInput } from '../operations/index.ts';

export interface ProducerOptions {
  /** `redis://[[user]:password@]host[:port][/db]`; several, separated by commas, for the nodes of a cluster. */
  readonly redisUrl: string;
  /** Must be the worker's. Default: `{baton}`. */
  readonly prefix?: string;
  /** Told of connection trouble, which mends itself. Default: nobody. */
  readonly onError?: (error: Error) => void;
}

/** What became of an operation. Counts are of conversations; assignees are texter ids, `null` is the pool. */
export interface OperationResult {
  readonly operationId: string;
  /** `created`: this request made the operation. `exists`: it had been asked for before, and this is its answer. */
  readonly outcome: 'created' | 'exists';
  readonly state: 'done' | 'cancelled';
  readonly receipt: Receipt;
}

/** A request that the queue has taken. */
export interface Sent {
  readonly operationId: string;
  /**
   * Waits for the operation to end. Throws the `Refusal` it was refused with, `JobFailed` when the worker gave up, or
   * `WaitTimeout`; waiting again, also by another process, is always possible.
   */
  result(options?: Partial<WaitOptions>): Promise<OperationResult>;
}

/** What a texter got. */
export interface ClaimResult {
  readonly operationId: string;
  readonly outcome: 'created' | 'exists';
  /** In the order given: longest waiting first. */
  readonly conversationIds: readonly string[];
  readonly receipt: Receipt;
}

export interface ClaimInput {
  readonly operationId: string;
  readonly campaignId: string;
  readonly texterId: string;
  /** How many are wanted; without it, as many as the campaign gives at once. */
  readonly count?: number;
  /** How long to wait for more when the pool is short, in milliseconds; without it, not at all. */
  readonly waitMs?: number;
}

/** A claim that the queue has taken. */
export interface SentClaim {
  readonly operationId: string;
  /** Waits for the claim to be answered. Throws as {@link Sent.result} does. */
  result(options?: Partial<WaitOptions>): Promise<ClaimResult>;
}

/** Sends requests to Baton's workers. Needs only Redis. */
export interface Producer {
  /** Moves conversations to texters: all that match, or the first `count`. */
  reassign(request: RequestInput<'reassign'>): Promise<Sent>;
  /** Moves a single conversation to a texter. */
  reassignOne(request: RequestInput<'reassign-one'>): Promise<Sent>;
  /** Releases texters' conversations to the pool: the first `count`, or all, which must be confirmed. */
  unassign(request: RequestInput<'unassign'>): Promise<Sent>;
  /** Releases a single conversation to the pool. */
  unassignOne(request: RequestInput<'unassign-one'>): Promise<Sent>;
  /** Gives back what an operation moved and nobody touched since: each conversation to where it was. */
  undo(request: RequestInput<'undo'>): Promise<Sent>;
  /**
   * Stops an operation, or a claim that waits, where it is, and answers with its receipt: what had moved, and how much was
   * left. Throws a `Refusal` (`unknown-operation`, `operation-ended`); asked again, it answers the same.
   */
  cancel(request: CancelInput, options?: Partial<WaitOptions>): Promise<CancelAnswer>;
  /** Gives a texter more conversations from the pool, oldest first, as the campaign's rules allow. The id is the claim's. */
  selfAssign(request: ClaimInput): Promise<SentClaim>;
  /**
   * Wakes a campaign's claims that wait: conversations came back to its pool, or a rule was eased, by other ways than
   * Baton's own. Saying it too often costs a look and does no harm.
   */
  poolRefilled(campaignId: string): Promise<void>;
  /** What an operation would do now. Writes nothing. */
  preview(request: PreviewRequest, options?: Partial<WaitOptions>): Promise<Preview>;
  close(): Promise<void>;
}
