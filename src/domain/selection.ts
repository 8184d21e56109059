import { STATUSES, type Candidate, type Status } from './conversation.ts';

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
