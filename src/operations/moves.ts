import type { AssigneeCount } from '../conversations/index.ts';
import type { Assignee, Status } from '../domain/conversation.ts';
import type { MoveCount } from '../domain/receipt.ts';

/** Conversations that make the same move. */
export interface Move {
  readonly from: Assignee;
  readonly to: Assignee;
  readonly status: Status;
  readonly conversationIds: readonly string[];
}

/** Conversations that have something in common, such as a move or the reason of a skip. */
type Group = Pick<Move, 'conversationIds'>;

export function countMoves(moves: readonly Group[]): number {
  return moves.reduce((sum, move) => sum + move.conversationIds.length, 0);
}

/** Divides moves after the first `count` conversations. A move that is not divided stays the same object. */
export function splitMoves<One extends Group>(moves: readonly One[], count: number): { first: One[]; rest: One[] } {
  const first: One[] = [];
  const rest: One[] = [];
  let room = count;
  for (const move of moves) {
    const { length } = move.conversationIds;
    if (length <= room) first.push(move);
    else if (room <= 0) rest.push(move);
    else {
      first.push({ ...move, conversationIds: move.conversationIds.slice(0, room) });
      rest.push({ ...move, conversationIds: move.conversationIds.slice(room) });
    }
    room -= length;
  }
  return { first, rest };
}

/** Identifies the two assignees of a move. No id contains a blank. */
export function directionKey({ from, to }: Pick<Move, 'from' | 'to'>): string {
  return `${from ?? ''} ${to ?? ''}`;
}

/** Identifies what moves with the same key have in common. */
export function moveKey({ status, from, to }: Pick<Move, 'from' | 'to' | 'status'>): string {
  return `${status} ${directionKey({ from, to })}`;
}

/** Adds up counts by assignee. */
export function sumsByAssignee(
  counts: readonly { readonly assigneeId: Assignee; readonly count: number }[],
): Map<Assignee, number> {
  const sums = new Map<Assignee, number>();
  for (const { assigneeId, count } of counts) sums.set(assigneeId, (sums.get(assigneeId) ?? 0) + count);
  return sums;
}

/** Returns by how much moves change the conversations of each assignee. */
export function changesOf(moves: readonly MoveCount[]): AssigneeCount[] {
  return moves.flatMap(({ from, to, status, count }) => [
    { assigneeId: from, status, count: -count },
    { assigneeId: to, status, count },
  ]);
}

/** Returns how many conversations make each move. */
export function countsOf(moves: readonly Move[]): MoveCount[] {
  return moves.map(({ conversationIds, ...move }) => ({ ...move, count: conversationIds.length }));
}

/** Joins moves that differ only in their conversations. */
export function mergeMoves(moves: readonly Move[]): Move[] {
  const merged = new Map<string, Move>();
  for (const move of moves) {
    const key = moveKey(move);
    const same = merged.get(key);
    merged.set(key, same ? { ...same, conversationIds: [...same.conversationIds, ...move.conversationIds] } : move);
  }
  return [...merged.values()];
}

/** Groups moves by their source and target. */
export function byDirection(moves: readonly Move[]): [Move, ...Move[]][] {
  const groups = new Map<string, [Move, ...Move[]]>();
  for (const move of moves) {
    const key = directionKey(move);
    const same = groups.get(key);
    if (same) same.push(move);
    else groups.set(key, [move]);
  }
  return [...groups.values()];
}

/** Returns true when an evaluation changed nothing. It only removes conversations or changes their status. */
export function isAsPlanned(planned: readonly Move[], evaluated: readonly Move[]): boolean {
  return (
    evaluated.length === planned.length &&
    evaluated.every(({ status, conversationIds }, index) => {
      const move = planned[index];
      return status === move?.status && conversationIds.length === move.conversationIds.length;
    })
  );
}
