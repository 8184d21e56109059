/**
 * Where a conversation stands between its contact and its texter.
 * The order of this list is the order in which a selection takes them.
 */
export const STATUSES = ['needs-reply', 'not-started', 'in-progress', 'awaiting-contact', 'closed'] as const;

export type Status = (typeof STATUSES)[number];

/** What a request may ask for: one status, or truly all of them. */
export type StatusChoice = Status | 'any';

/** Who holds a conversation: a texter's id, or `null` for the pool. */
export type Assignee = string | null;

/** The moves a conversation remembers of itself, newest last. */
export const HISTORY_MOVES_MAX = 20;

/** A conversation as a selection sees it: what decides its place, and whether it may move. */
export interface Candidate {
  readonly id: string;
  readonly assigneeId: Assignee;
  readonly status: Status;
  /** Milliseconds since 1970: since when it has been waiting in its status. */
  readonly waitingSince: number;
  readonly optedOut: boolean;
}

/** One move, as the conversation's history keeps it. */
export interface HistoryMove {
  readonly operationId: string;
  readonly from: Assignee;
  readonly to: Assignee;
  readonly at: Date;
  /** Who asked for the operation, in the upstream app's own terms; `null` when it did not say. */
  readonly by: string | null;
}

/**
 * Statuses that the conversations view leaves out: an initial message that nobody has answered
 * would bury the work that waits. They come out in the export.
 */
export const HIDDEN_STATUSES: readonly Status[] = ['awaiting-contact'];

export const VISIBLE_STATUSES: readonly Status[] = STATUSES.filter((status) => !HIDDEN_STATUSES.includes(status));

/** The statuses a choice stands for, in the order of selection. */
export function statusesOf(choice: StatusChoice): readonly Status[] {
  return choice === 'any' ? STATUSES : [choice];
}
