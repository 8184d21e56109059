import type { mongo } from 'mongoose';
import { HISTORY_MOVES_MAX, type HistoryMove } from '../domain/conversation.ts';

const NEXT_VERSION = { $add: [orNull('assignmentVersion', 0), 1] };

/**
 * The update of one move. It is a pipeline, because it copies fields of the conversation at the moment of the write into
 * `atLastMove`. An undo compares them to find out what has changed since.
 */
export function moveUpdate(move: HistoryMove): mongo.Document[] {
  const history = { $concatArrays: [orNull('history', []), [{ $literal: move }]] };
  const $set = {
    assigneeId: { $literal: move.to },
    assignedAt: move.at,
    lastOperationId: { $literal: move.operationId },
    assignmentVersion: NEXT_VERSION,
    atLastMove: {
      version: NEXT_VERSION,
      status: orNull('status'),
      lastInboundAt: orNull('lastInboundAt'),
      lastOutboundAt: orNull('lastOutboundAt'),
    },
    history: { $slice: [history, -HISTORY_MOVES_MAX] },
  };
  return [{ $set }];
}

const FIELDS_OF_WORK = ['status', 'lastInboundAt', 'lastOutboundAt'] as const;

const IS_SAME_VERSION = { $eq: ['$assignmentVersion', '$atLastMove.version'] };
const IS_SAME_WORK = { $and: FIELDS_OF_WORK.map((field) => ({ $eq: [orNull(field), `$atLastMove.${field}`] })) };
const IS_RECORDED = { $eq: [{ $type: '$atLastMove' }, 'object'] };

/**
 * An expression for what has happened to a conversation since its last operation: a {@link SinceLastMove}. Values are
 * compared for equality only, because the programs that write them have other clocks. A conversation whose last move
 * recorded nothing counts as worked on, because its version and its messages may have changed.
 */
export const SINCE_LAST_MOVE = {
  $switch: {
    branches: [
      { case: { $not: [IS_RECORDED] }, then: 'worked-on' },
      { case: { $not: [IS_SAME_VERSION] }, then: 'moved' },
      { case: { $not: [IS_SAME_WORK] }, then: 'worked-on' },
    ],
    default: 'unchanged',
  },
} as const satisfies mongo.Document;

/** The value of a field, or `value` if it is `null` or missing. Other programs may leave fields out. */
function orNull(field: string, value: number | readonly never[] | null = null): mongo.Document {
  return { $ifNull: [`$${field}`, value] };
}
