/**
 * The state of a conversation between its contact and its texter:
 *
 * - `needs-reply`: the contact waits for an answer.
 * - `not-started`: the initial message has not been sent.
 * - `in-progress`: the texter wrote last.
 * - `awaiting-contact`: the initial message was sent, and the contact has never replied.
 * - `closed`: the conversation has ended.
 *
 * A selection takes the statuses in the order of this list.
 */
export const STATUSES = ['needs-reply', 'not-started', 'in-progress', 'awaiting-contact', 'closed'] as const;

export type Status = (typeof STATUSES)[number];

export function isStatus(value: unknown): value is Status {
  return STATUSES.some((status) => status === value);
}

/** Claims receive conversations of this status only. */
export const CLAIMED_STATUS: Status = 'not-started';

/** The statuses that a request selects: one of them, or all. */
export type StatusChoice = Status | 'any';

/** The id of the texter that a conversation is assigned to, or `null` for the pool. */
export type Assignee = string | null;

/** The number of moves that a conversation stores in its history. */
export const HISTORY_MOVES_MAX = 20;

/** The fields of a conversation that decide whether a selection takes it, and in which place. */
export interface Candidate {
  readonly id: string;
  readonly assigneeId: Assignee;
  readonly status: Status;
  /** The moment since when the conversation waits in its status, in milliseconds since 1970. */
  readonly waitingSince: number;
  readonly optedOut: boolean;
  /** True for a document that lacks what a move depends on. Such a conversation is skipped. */
  readonly isIncomplete?: boolean;
}

/** One move in the history of a conversation. The history is ordered from old to new. */
export interface HistoryMove {
  readonly operationId: string;
  readonly from: Assignee;
  readonly to: Assignee;
  readonly at: Date;
  /** The id of the person who asked for the operation, as the upstream app sent it; `null` when it sent none. */
  readonly by: string | null;
}

/**
 * Statuses that the conversations view does not show. The many initial messages without a reply would bury the
 * conversations that need work. The export contains them.
 */
export const HIDDEN_STATUSES: readonly Status[] = ['awaiting-contact'];

export const VISIBLE_STATUSES: readonly Status[] = STATUSES.filter((status) => !HIDDEN_STATUSES.includes(status));

/** Returns the statuses of a choice, in the order of selection. */
export function statusesOf(choice: StatusChoice): readonly Status[] {
  return choice === 'any' ? STATUSES : [choice];
}

/** A position in the order of selection: by status, then the longest waiting first, then by id. */
export interface Position {
  readonly status: Status;
  readonly waitingSince: number;
  readonly id: string;
}

export function positionOf(candidate: Candidate): Position {
  return { status: candidate.status, waitingSince: candidate.waitingSince, id: candidate.id };
}

/** Returns a negative number when `a` comes before `b`. Two different conversations never compare as equal. */
export function comparePositions(a: Position, b: Position): number {
  if (a.status !== b.status) return STATUSES.indexOf(a.status) - STATUSES.indexOf(b.status);
  if (a.waitingSince !== b.waitingSince) return a.waitingSince - b.waitingSince;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** Returns the statuses to read after `position`. The status of the position is included: it may be half read. */
export function statusesFrom(statuses: readonly Status[], position: Position | null): readonly Status[] {
  if (!position) return statuses;
  const reached = STATUSES.indexOf(position.status);
  return statuses.filter((status) => STATUSES.indexOf(status) >= reached);
}
