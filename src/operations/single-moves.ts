import type { mongo } from 'mongoose';
import { movesUpdate } from '../conversations/index.ts';
import { STATUSES } from '../domain/conversation.ts';
import { WriteConflict } from '../domain/errors.ts';
import type { Database } from '../mongo/database.ts';
import { objectIds, type ConversationDoc } from '../mongo/documents.ts';
import { BY_ID } from '../mongo/indexes.ts';
import { isDuplicateKey } from '../mongo/server-errors.ts';
import { countConflict } from '../mongo/transaction.ts';
import { NotAsPlanned } from './apply-batch.ts';
import type { OneRequest } from './contract.ts';
import { receiversOf } from './batch.ts';
import { insertApplied, isStillOpen, keepTargets } from './ending-store.ts';
import { toOperationDoc } from './mapping.ts';
import { isAssignedTo, valueOfEach } from './move-statements.ts';
import { MoveWriter, type FoundMove } from './move-writer.ts';
import type { Operation } from './operation.ts';
import type { DecideMove, MovedOperation, PlannedMove } from './ports.ts';
import { targetsOf } from './resolve-named.ts';

/**
 * How long a single move is repeated while it meets other writers. Long enough for a batch of an operation. A longer wait
 * would occupy the worker, so the job waits in the queue instead.
 */
const MOVE_REPEATED_FOR_MS = 500;

const MOVE_OPTIONS = { repeatForMs: MOVE_REPEATED_FOR_MS, onConflict: () => countConflict('move') };

/** Another program may have stored a value of any type as the history. */
const OPERATIONS_OF_HISTORY = { $cond: [{ $isArray: '$history.operationId' }, '$history.operationId', []] };

/**
 * See {@link OperationStore.moveNow}. The first statement moves the conversation and reads it, while `decide` reads the campaign
 * beside the transaction. So a database that is far away is asked as seldom as possible.
 */
export async function moveNow(
  database: Database,
  request: OneRequest,
  decide: DecideMove,
): Promise<Operation | undefined> {
  const move = async (session: mongo.ClientSession): Promise<Operation> => {
    const at = database.now();
    const found = new MoveWriter(database, request, GUARD).moveFound(moveOf(request), at, session);
    const decided = decide(found, at);
    // The first statement starts the transaction on the server. An abort that is sent before its answer could overtake it.
    await Promise.allSettled([found, decided]);
    const moved = (await found) && (await decided);
    if (!moved) throw new NotAsPlanned();
    await record(database, [moved], session);
    return moved.operation;
  };
  try {
    return await database.transaction(move, MOVE_OPTIONS);
  } catch (error) {
    if (concernsOneMove(error)) return undefined;
    throw error;
  }
}

/** See {@link OperationStore.insertDone}. */
export async function insertMovedOperations(
  database: Database,
  moves: readonly PlannedMove[],
  at: Date,
  ended: Promise<readonly MovedOperation[]>,
): Promise<boolean> {
  // The transaction may fail before anybody needs them.
  ended.catch(() => undefined);
  const write = async (session: mongo.ClientSession): Promise<void> => {
    const { modifiedCount } = await database.conversations.bulkWrite(statementsOfRound(moves, at), { session });
    if (modifiedCount !== moves.length) throw new NotAsPlanned();
    await record(database, await ended, session);
  };
  try {
    await database.transaction(write, { ...MOVE_OPTIONS, repeatForMs: 0 });
    return true;
  } catch (error) {
    if (concernsOneMove(error) || error instanceof WriteConflict) return false;
    throw error;
  }
}

/**
 * The statements that write single moves, each under its own guards: one for those to texters and one for those to the pool. A
 * statement for each move would take twice as long.
 */
function statementsOfRound(moves: readonly PlannedMove[], at: Date): mongo.AnyBulkWriteOperation<ConversationDoc>[] {
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

/** Stores moves that are written, in their transaction. Throws {@link NotAsPlanned}. */
async function record(
  database: Database,
  moves: readonly MovedOperation[],
  session: mongo.ClientSession,
): Promise<void> {
  const campaignId = moves[0]?.operation.campaignId ?? '';
  const targets = receiversOf(moves.map(({ batch }) => batch));
  const isOpen = isStillOpen(database, campaignId, targets);
  await insertOperations(database, moves, session);
  const applied = moves.map(({ operation: { endedAt, acceptedAt }, ...move }) => ({
    ...move,
    at: endedAt ?? acceptedAt,
  }));
  await insertApplied(database, applied, session);
  await keepTargets(database, campaignId, { targets, isOpen }, session);
}

function concernsOneMove(error: unknown): boolean {
  return error instanceof NotAsPlanned || isDuplicateKey(error);
}

const GUARD = { statuses: STATUSES, lastMovedBy: null, dealsAgain: false } as const;

function moveOf(request: OneRequest): FoundMove {
  const { conversationId, expectedAssigneeId } = request;
  const to = targetsOf(request)[0] ?? null;
  return { conversationId, to, from: expectedAssigneeId === undefined ? { $ne: to } : expectedAssigneeId };
}

async function insertOperations(
  { operations }: Database,
  moves: readonly MovedOperation[],
  session: mongo.ClientSession,
): Promise<void> {
  await operations.insertMany(
    moves.map(({ operation }) => toOperationDoc(operation)),
    { session },
  );
}
