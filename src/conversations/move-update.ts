import { isDeepStrictEqual } from 'node:util';
import type { mongo } from 'mongoose';
import { HISTORY_MOVES_MAX, type HistoryMove, type SinceLastMove } from '../domain/conversation.ts';
import type { ConversationDoc } from '../mongo/documents.ts';
import { storedFields } from '../mongo/stored-values.ts';
import type { StoredConversation } from './stored.ts';

/* Another program may have left out the history or the version, or stored a value of another type. */

const HISTORY = { $cond: [{ $isArray: '$history' }, '$history', []] };
const VERSION = { $cond: [{ $isNumber: '$assignmentVersion' }, '$assignmentVersion', 0] };
const NEXT_VERSION = { $add: [VERSION, 1] };

/**
 * The update of one move. It is a pipeline, because it copies fields of the conversation at the moment of the write into
 * `atLastMove`. An undo compares them to find out what has changed since.
 */
export function moveUpdate(move: HistoryMove): mongo.Document[] {
  const fields = { operationId: { $literal: move.operationId }, to: { $literal: move.to }, at: move.at };
  return updateWith(fields, { $literal: move });
}

/** The fields of moves that differ. Each expression computes a field from the conversation. */
export interface MovesFields {
  readonly operationId: mongo.Document;
  readonly to: mongo.Document;
  readonly at: Date;
  readonly by: mongo.Document;
}

/** The update of moves that differ. */
export function movesUpdate({ operationId, to, at, by }: MovesFields): mongo.Document[] {
  return updateWith({ operationId, to, at }, { operationId, from: orNull('assigneeId'), to, at, by });
}

function updateWith({ operationId, to, at }: Omit<MovesFields, 'by'>, entry: mongo.Document): mongo.Document[] {
  const history = { $concatArrays: [HISTORY, [entry]] };
  const $set = {
    assigneeId: to,
    assignedAt: at,
    lastOperationId: operationId,
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

/** The fields that {@link sinceLastMove} needs. */
export const SINCE_LAST_MOVE_FIELDS = {
  atLastMove: 1,
  assignmentVersion: 1,
  lastInboundAt: 1,
  lastOutboundAt: 1,
} as const;

type Moved = Pick<StoredConversation, 'atLastMove' | 'assignmentVersion' | (typeof FIELDS_OF_WORK)[number]>;

/**
 * Returns what has happened to a conversation since its last operation. Values are compared for equality only, because the
 * programs that write them have other clocks. A conversation whose last move recorded nothing counts as worked on, because
 * its version and its messages may have changed.
 */
export function sinceLastMove({ atLastMove, assignmentVersion, ...work }: Moved): SinceLastMove {
  if (!atLastMove) return 'worked-on';
  const then = storedFields(atLastMove);
  if (!isSame(assignmentVersion, then['version'])) return 'moved';
  return FIELDS_OF_WORK.every((field) => isSame(work[field], then[field])) ? 'unchanged' : 'worked-on';
}

/** Other programs may leave fields out. The filters of writes compare in the same way. */
function isSame(one: unknown, other: unknown): boolean {
  return one === other || isDeepStrictEqual(one ?? null, other ?? null);
}

/** Matches conversations that are `unchanged`. In a list, MongoDB takes a missing field for `null`. */
export const UNCHANGED: mongo.Filter<ConversationDoc> = {
  atLastMove: { $type: 'object' },
  ...isAtLastMove('assignmentVersion', ...FIELDS_OF_WORK),
};

/** Matches conversations that are `unchanged` or `worked-on`. */
export const NOT_MOVED: mongo.Filter<ConversationDoc> = {
  $or: [{ atLastMove: { $in: [null] } } as mongo.Document, isAtLastMove('assignmentVersion')],
};

function isAtLastMove(...fields: readonly (keyof Moved)[]): mongo.Filter<ConversationDoc> {
  const recorded = fields.map((field) => `$atLastMove.${field === 'assignmentVersion' ? 'version' : field}`);
  return { $expr: { $eq: [fields.map((field) => `$${field}`), recorded] } };
}

/** The value of a field that other programs may leave out. */
function orNull(field: string): mongo.Document {
  return { $ifNull: [`$${field}`, null] };
}
