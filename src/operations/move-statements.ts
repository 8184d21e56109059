import type { mongo, Types } from 'mongoose';
import type { Assignee } from '../domain/conversation.ts';
import { objectIds } from '../mongo/documents.ts';
import { byDirection, countMoves, type Move } from './moves.ts';

/** Up to this many conversations, moves with the same assignees share a statement with others. */
const ALIKE_MIN = 20;
/** The server searches the list of a statement for each of its conversations. */
const MIXED_MAX = 100;

export interface OneMove {
  readonly id: Types.ObjectId;
  readonly from: Assignee;
  readonly to: Assignee;
}

export interface Statements {
  /** Moves with the same assignees, one statement for each list. */
  readonly alike: readonly (readonly [Move, ...Move[]])[];
  /** Moves between different assignees. The targets of a list are texters, or all of them are the pool. */
  readonly mixed: readonly (readonly OneMove[])[];
}

/**
 * Divides moves into statements. A statement for each pair of assignees would take most of the time of an operation with many
 * texters: two thousand texters have four million pairs.
 */
export function statementsOf(moves: readonly Move[]): Statements {
  const directions = byDirection(moves);
  const isAlike = (same: readonly Move[]): boolean => countMoves(same) >= ALIKE_MIN;
  const alike = directions.filter(isAlike);
  const few = directions.filter((same) => !isAlike(same)).flat();
  // A single direction needs no search.
  if (directions.length === 1) return { alike: directions, mixed: [] };
  const toTexters = few.filter(({ to }) => to !== null);
  const toPool = few.filter(({ to }) => to === null);
  return { alike, mixed: [...inLists(toTexters), ...inLists(toPool)] };
}

function inLists(moves: readonly Move[]): OneMove[][] {
  const all = moves.flatMap(({ from, to, conversationIds }) =>
    objectIds(conversationIds).map((id) => ({ id, from, to })),
  );
  const lists: OneMove[][] = [];
  for (let at = 0; at < all.length; at += MIXED_MAX) lists.push(all.slice(at, at + MIXED_MAX));
  return lists;
}

/** An expression for the value of each of these conversations. */
export function valueOfEach(ids: readonly Types.ObjectId[], values: readonly (string | null)[]): mongo.Document {
  return { $arrayElemAt: [{ $literal: values }, { $indexOfArray: [{ $literal: ids }, '$_id'] }] };
}

/** Matches the conversations that have their assignees. A missing assignee is the pool, as in every filter. */
export function isAssignedTo(assignees: mongo.Document): mongo.Document {
  return { $eq: [{ $ifNull: ['$assigneeId', null] }, assignees] };
}
