import type { mongo } from 'mongoose';
import { STATUSES } from '../domain/conversation.ts';
import { WriteConflict } from '../domain/errors.ts';
import type { Database } from '../mongo/database.ts';
import { isDuplicateKey } from '../mongo/server-errors.ts';
import { countConflict } from '../telemetry/index.ts';
import { NotAsPlanned } from './apply-batch.ts';
import type { OneRequest } from './contract.ts';
import { receiversOf } from './batch.ts';
import { insertApplied, isStillOpen, keepTargets } from './ending-store.ts';
import { toOperationDoc } from './insert-operation.ts';
import { MoveWriter, type FoundMove } from './move-writer.ts';
import type { Operation } from './operation.ts';
import type { DecideMove, MovedOperation, PlannedMove } from './ports.ts';
import { targetsOf } from './resolve-named.ts';
import { statementsOfRound } from './round-statements.ts';

/**
 * How long a single move is repeated while it meets other writers. Long enough for a batch of an operation. A longer wait
 * would occupy the worker, so the job waits in the queue instead.
 */
const MOVE_REPEATED_FOR_MS = 500;

const MOVE_OPTIONS = { repeatForMs: MOVE_REPEATED_FOR_MS, onConflict: () => countConflict('move') };

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
