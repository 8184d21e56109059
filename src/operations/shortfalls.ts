import type { Shortfall } from './batch.ts';
import { directionKey, type Move } from './moves.ts';

/** Adds up shortfalls by assignee and target. */
export function addShortfalls(...lists: readonly (readonly Shortfall[])[]): Shortfall[] {
  const sums = new Map<string, Shortfall>();
  for (const { from, to, count } of lists.flat()) {
    const key = directionKey({ from, to });
    sums.set(key, { from, to, count: (sums.get(key)?.count ?? 0) + count });
  }
  return [...sums.values()].filter(({ count }) => count > 0);
}

/** Returns the moves that were planned and not written, by assignee and target. */
export function shortfallsBetween(planned: readonly Move[], written: readonly Move[]): Shortfall[] {
  const counted = (moves: readonly Move[], sign: 1 | -1): Shortfall[] =>
    moves.map(({ from, to, conversationIds }) => ({ from, to, count: sign * conversationIds.length }));
  return addShortfalls(counted(planned, 1), counted(written, -1));
}
