import type { StatusChoice } from './conversation.ts';
import type { OperationKind, Spread } from './operation.ts';

/** The fields that all requests for an operation have. */
interface CommonInput {
  /**
   * The id of the operation, made by your app and stored there before it sends the request. A request that is sent again with
   * the same id takes effect only once. At most 64 letters, digits, `-`, `_`, `.`, `:` and `|`.
   */
  readonly operationId: string;
  /** The id of the campaign. Ids must not be names or phone numbers, because the queue stores them unencrypted. */
  readonly campaignId: string;
  /** The id of the person who asks. Stored with the operation and in the history of each conversation. */
  readonly actorId?: string | undefined;
  /** Why the operation was asked for: at most 200 characters, nothing personal. Stored with the operation. */
  readonly reason?: string | undefined;
  /**
   * The `traceparent` of W3C Trace Context. It is stored with the operation, and the worker's log lines and the result name
   * it. It makes no difference for what the operation does.
   */
  readonly traceparent?: string | undefined;
}

/** Which conversations a bulk operation takes. */
interface SelectionInput {
  /** The status of the conversations to take. `any` means every status, `awaiting-contact` and `closed` included. */
  readonly status: StatusChoice;
  /** How many conversations to take, the most urgent first: 1 to 1,000,000,000. Default: all. */
  readonly count?: number | undefined;
}

/** Texters of the campaign: up to 2,000 ids. */
export interface TextersInput {
  /** The ids of the texters, as they were given when the texters were added. */
  readonly texterIds: readonly string[];
}

/** Exactly one texter. */
export interface OneTexterInput {
  /** The id of the one texter. */
  readonly texterIds: readonly [string];
}

/** Moves conversations from the pool or from texters to texters. */
export interface ReassignInput extends CommonInput, SelectionInput {
  /**
   * `pool`: unassigned conversations. `everyone`: the pool, all texters, and assignees who are not on the campaign any more.
   */
  readonly from: 'pool' | 'everyone' | TextersInput;
  /** `everyone`: all active texters of the campaign. `counts`: how many conversations each texter gets, by texter id. */
  readonly to: 'everyone' | TextersInput | { readonly counts: Readonly<Record<string, number>> };
  /**
   * `even` (the default): each texter gets the same share of what moves. `level`: the texter with the fewest conversations
   * is filled first. Leave it out, and `count` too, when `to` has counts.
   */
  readonly spread?: Spread | undefined;
}

/** Returns texters' conversations to the pool. */
export interface UnassignInput extends CommonInput, SelectionInput {
  /** `everyone`: all texters, and assignees who are not on the campaign any more. */
  readonly from: 'everyone' | TextersInput;
  /**
   * The number that the preview showed. Without a `count`, or with one above what matches, it is required: the operation is
   * refused when more conversations match.
   */
  readonly confirm?: number | undefined;
}

interface ExpectedInput {
  /** The id of the conversation: 24 hexadecimal digits in lower case. */
  readonly conversationId: string;
  /** The conversation is skipped when it has another assignee. `null`: the pool. Default: any assignee. */
  readonly expectedAssigneeId?: string | null | undefined;
}

/** Moves a single conversation to a texter. */
export interface ReassignOneInput extends CommonInput, ExpectedInput {
  /** The texter who gets the conversation. */
  readonly to: OneTexterInput;
}

/** Returns a single conversation to the pool. */
export interface UnassignOneInput extends CommonInput, ExpectedInput {}

/** Returns chosen conversations to the pool. */
export interface UnassignListInput extends CommonInput {
  /** 1 to 2,000 conversations, none of them twice. */
  readonly conversations: readonly ExpectedInput[];
}

/** Moves chosen conversations to a texter. */
export interface ReassignListInput extends UnassignListInput {
  /** The texter who gets the conversations. */
  readonly to: OneTexterInput;
}

/** Returns what an operation or claim moved to the earlier assignees. */
export interface UndoInput extends CommonInput {
  /** The id of the operation or claim to undo. */
  readonly undoes: string;
  /** Also undo the moves of conversations whose status or messages have changed since. Default: false. */
  readonly includeWorkedOn?: boolean | undefined;
}

/** What callers write for each kind of operation. The producer's method adds the kind. */
export interface InputOfKind {
  readonly reassign: ReassignInput;
  readonly unassign: UnassignInput;
  readonly 'reassign-one': ReassignOneInput;
  readonly 'unassign-one': UnassignOneInput;
  readonly 'reassign-list': ReassignListInput;
  readonly 'unassign-list': UnassignListInput;
  readonly undo: UndoInput;
}

export type RequestKind = keyof InputOfKind & OperationKind;
type PreviewKind = Exclude<RequestKind, 'reassign-one' | 'unassign-one'>;

type WithKind<Kind extends RequestKind> = {
  [Each in Kind]: InputOfKind[Each] & {
    /** What the operation does; the producer's methods have the same names. */
    readonly kind: Each;
  };
}[Kind];

/** A request for an operation of any kind. */
export type OperationInput = WithKind<RequestKind>;

/** An operation to preview. It needs no `operationId`, because nothing is stored. */
export type PreviewInput = WithoutId<WithKind<PreviewKind>>;

type WithoutId<Input extends CommonInput> = Input extends CommonInput
  ? Omit<Input, 'operationId'> & {
      /** Not used by a preview. */
      readonly operationId?: string | undefined;
    }
  : never;

/** Stops an operation that runs, or an operation or claim that waits. */
export interface CancelInput extends CommonInput {
  /** The id of the operation or waiting claim to cancel. */
  readonly operationId: string;
}

/** Cancels the operations of a campaign that wait for others. */
export type CancelQueuedInput = Pick<CommonInput, 'campaignId' | 'actorId' | 'reason' | 'traceparent'>;

/** Assigns a texter more conversations from the pool. */
export interface ClaimInput extends Pick<CommonInput, 'operationId' | 'campaignId' | 'traceparent'> {
  /** The id of the texter who asks. */
  readonly texterId: string;
  /** How many conversations the texter asks for. Default: the campaign's maximum for one claim. */
  readonly count?: number | undefined;
  /** How long to wait for more when the pool is short, in milliseconds: up to 24 hours. Default: no waiting. */
  readonly waitMs?: number | undefined;
}

/** Names a person on a campaign, either by phone number or by conversation. */
export interface PersonRequest {
  /** The id of the campaign. */
  readonly campaignId: string;
  /** The phone number in the form of E.164, such as `+12025550199`. The worker deletes it from the job. */
  readonly phone?: string | undefined;
  /** The id of a conversation of the person. */
  readonly conversationId?: string | undefined;
}

/** Asks for a page of what an operation or claim has done. */
export interface MovesInput extends Pick<CommonInput, 'campaignId'> {
  /** The id of the operation or claim to read. */
  readonly operationId: string;
  /** The `next` of the page before. Default: from the beginning. */
  readonly after?: string | undefined;
  /** The most conversations of the page: 1 to 1,000, the default. */
  readonly limit?: number | undefined;
}
