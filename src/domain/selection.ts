import { STATUSES, type Candidate, type Status } from './conversation.ts';

/** A place in the order of selection: status first, then the longest waiting, then the id. */
export interface Position {
  readonly status: Status;
  readonly waitingSince: number;
  readonly id: string;
}

export function positionOf(candidate: Candidate): Position {
  return { status: candidate.status, waitingSince: candidate.waitingSince, id: candidate.id };
}

/** Negative when `a` is taken before `b`. Total: two different conversations never compare equal. */
export function comparePositions(a: Position, b: Position): number {
  if (a.status !== b.status) return STATUSES.indexOf(a.status) - STATUSES.indexOf(b.status);
  if (a.waitingSince !== b.waitingSince) return a.waitingSince - b.waitingSince;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** The statuses still to be read after `position`, its own (which may be half read) included. */
export function statusesFrom(statuses: readonly Status[], position: Position | null): readonly Status[] {
  if (!position) return statuses;
  const reached = STATUSES.indexOf(position.status);
  return statuses.filter((status) => STATUSES.indexOf(status) >= reached);
}
