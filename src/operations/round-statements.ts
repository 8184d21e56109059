import type { mongo } from 'mongoose';
import { movesUpdate } from '../conversations/index.ts';
import { BY_ID } from '../mongo/indexes.ts';
import { objectIds, type ConversationDoc } from '../mongo/documents.ts';
import { isAssignedTo, valueOfEach } from './move-statements.ts';
import type { PlannedMove } from './ports.ts';

/** The history of another program may be of any type. */
const OPERATIONS_OF_HISTORY = { $cond: [{ $isArray: '$history.operationId' }, '$history.operationId', []] };

/**
 * The statements that write single moves, each under its own guards: one for those to texters and one for those to the pool. A
 * statement for each move would take twice as long.
 */
export function statementsOfRound(
  moves: readonly PlannedMove[],
  at: Date,
): mongo.AnyBulkWriteOperation<ConversationDoc>[] {
  const isToPool = ({ batch }: PlannedMove): boolean => batch.moves[0]?.to === null;
  return [moves.filter((move) => !isToPool(move)), moves.filter(isToPool)]
    .filter((some) => some.length > 0)
    .map((some) => ({ updateMany: { ...statementOf(some, at), hint: BY_ID } }));
}

function statementOf(
  moves: readonly PlannedMove[],
  at: Date,
): { filter: mongo.Filter<ConversationDoc>; update: mongo.Document[] } {
  const all = moves.map(({ request, batch }) => ({ request, move: batch.moves[0] }));
  const ids = objectIds(all.flatMap(({ move }) => move?.conversationIds ?? []));
  const ofEach = (valueOf: (one: (typeof all)[number]) => string | null): mongo.Document =>
    valueOfEach(ids, all.map(valueOf));
  const operationId = ofEach(({ request }) => request.operationId);
  const isAsPlanned = [
    isAssignedTo(ofEach(({ move }) => move?.from ?? null)),
    { $not: { $in: [operationId, OPERATIONS_OF_HISTORY] } },
  ];
  const toTexters = (all[0]?.move?.to ?? null) !== null;
  const campaignId = all[0]?.request.campaignId ?? '';
  return {
    filter: { _id: { $in: ids }, campaignId, ...(toTexters && { optedOut: false }), $expr: { $and: isAsPlanned } },
    update: movesUpdate({
      operationId,
      to: ofEach(({ move }) => move?.to ?? null),
      at,
      by: ofEach(({ request }) => request.actorId ?? null),
    }),
  };
}
