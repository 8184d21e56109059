import type { Assignee, Status } from './conversation.ts';
import type { OperationKind, OperationState } from './operation.ts';
import type { MoveCount, OverLimit, Receipt, SkipCount, SkipReason } from './receipt.ts';
import type { StoredError } from './stored-error.ts';

/** How far a bulk operation has come. */
export interface Progress {
  /** How many conversations the operation has moved so far. */
  readonly moved: number;
  /** How often the worker met the writes of other programs in the last two seconds; absent when it met none. */
  readonly conflicts?: number;
  /** The present limit of conversations in one transaction; absent without conflicts. */
  readonly transactionSize?: number;
}

export interface WaitOptions {
  /** How long to wait, in milliseconds. Default: 60 seconds. `Infinity` waits for 24 days. */
  readonly waitMs: number;
  /** Called with the progress of a bulk operation, at most four times a second. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** The return value of the job of an operation. */
export interface OperationAnswer {
  readonly operationId: string;
  readonly state: 'done' | 'cancelled';
  /** The `sendId` of the job that created the operation. */
  readonly createdBySendId: string;
  readonly receipt: Receipt;
  /** The trace in which the operation was created; absent when its request named none. */
  readonly traceparent?: string;
}

/** The return value of a claim's job. */
export interface ClaimAnswer {
  readonly operationId: string;
  readonly createdBySendId: string;
  readonly requestHash: string;
  readonly conversationIds: readonly string[];
  readonly receipt: Receipt;
}

/** The answer to a request to cancel. */
export interface CancelAnswer {
  readonly operationId: string;
  readonly state: 'cancelled';
  /** What had moved, and how many conversations were left. */
  readonly receipt: Receipt;
}

/** The answer to a request to cancel the operations of a campaign that wait. */
export interface CancelQueuedAnswer {
  readonly campaignId: string;
  /** How many operations this request has cancelled. */
  readonly cancelled: number;
}

/** What an operation would do now. Assignees are texter ids, `null` is the pool. */
export interface Preview {
  /** The moment for which all numbers hold, in ISO 8601. Previews of a campaign within the same second can share one. */
  readonly countedAt: string;
  /** How many conversations would be selected: those that would move, and those that would be skipped. */
  readonly selected: number;
  /** How many conversations would move: the number to confirm when unassigning all. */
  readonly moved: number;
  /** By source, target and status. */
  readonly moves: readonly MoveCount[];
  readonly skipped: readonly SkipCount[];
  /** The texters whom the operation would take past a limit of the campaign; absent when there are none. */
  readonly overLimit?: readonly OverLimit[];
  /** How many conversations, in any status, each source and target has before and after the operation. */
  readonly assignees: readonly { readonly assigneeId: Assignee; readonly before: number; readonly after: number }[];
}

/** What the database has of an operation or claim. Times are in ISO 8601. */
export interface FoundOperation {
  readonly operationId: string;
  readonly campaignId: string;
  readonly kind: OperationKind;
  /** The `sendId` of the job that created the operation. */
  readonly createdBySendId: string;
  readonly state: OperationState;
  /** `null` before the end of the operation. */
  readonly receipt: Receipt | null;
  /** Why the operation failed, or is to fail. */
  readonly error: StoredError | null;
  /** Only for a claim: the conversations that the texter has received. */
  readonly conversationIds?: readonly string[];
  /** The trace in which the operation was created; absent when its request named none. */
  readonly traceparent?: string;
  readonly acceptedAt: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
}

/** The return value of the jobs `opt-out` and `lift-opt-out`. */
export interface OptOutAnswer {
  readonly campaignId: string;
  /** The conversations of the person. More than one only if an earlier version stored their number in several forms. */
  readonly conversationIds: readonly string[];
  /** Whether the person is opted out now. */
  readonly optedOut: boolean;
  /** The number of conversations that changed; 0 when it was so already. */
  readonly changed: number;
}

/** The return value of the job `erase`. */
export interface EraseAnswer {
  readonly campaignId: string;
  /** The conversations of the person. They stay, without name, phone number and external id. */
  readonly conversationIds: readonly string[];
  /** The number of conversations that changed; 0 when the person was erased already. */
  readonly changed: number;
}

/** One conversation of an operation. Assignees are texter ids, `null` is the pool. */
export type ConversationResult =
  | {
      readonly conversationId: string;
      readonly result: 'moved';
      readonly from: Assignee;
      readonly to: Assignee;
      /** The status with which the conversation moved. */
      readonly status: Status;
      /** When its batch or claim was completed; `null` while a claim waits for more. */
      readonly at: Date | null;
    }
  | { readonly conversationId: string; readonly result: 'skipped'; readonly reason: SkipReason };

/** A page of what an operation has done. */
export interface MovesPage {
  readonly operationId: string;
  readonly campaignId: string;
  readonly state: OperationState;
  readonly conversations: readonly ConversationResult[];
  /** The `after` of the next page; `null` after the last page of an operation that has ended. */
  readonly next: string | null;
}
