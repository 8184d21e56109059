import type { mongo } from 'mongoose';
import { fenceActive, isClosed, type StoredCampaign } from '../campaigns/index.ts';
import { STATUSES } from '../domain/conversation.ts';
import { WriteConflict } from '../domain/errors.ts';
import type { Database } from '../mongo/database.ts';
import { isDuplicateKey } from '../mongo/server-errors.ts';
import { countConflict } from '../telemetry/index.ts';
import { NotAsPlanned } from './apply-batch.ts';
import type { OneRequest, OperationRequest } from './contract.ts';
import { toOperationDoc } from './insert-operation.ts';
import { toBatchDoc } from './mapping.ts';
import { MoveWriter, type FoundMove } from './move-writer.ts';
import type { Operation } from './operation.ts';
import type { DecideMove, MovedOperation } from './ports.ts';
import { targetsOf } from './resolve-named.ts';

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
    const found = writerOf(database, request).moveFound(moveOf(request), at, session);
    const decided = decide(found, at);
    // Not even an abort may be sent before the answer of the first statement.
    await Promise.allSettled([found, decided]);
    const moved = (await found) && (await decided);
    if (!moved) throw new NotAsPlanned();
    const isOpen = isStillOpen(database, targetsOf(request), request.campaignId);
    await insertOperations(database, [moved], session);
    await insertBatches(database, [moved], at, session);
    await requireTargets(database, [moved], isOpen, session);
    return moved.operation;
  };
  try {
    return await database.transaction(move, MOVE_OPTIONS);
  } catch (error) {
    if (isOfOne(error)) return undefined;
    throw error;
  }
}

/** Stores several single moves of one campaign, with their operations. Returns false when they have to be written one by one. */
export async function insertMovedOperations(database: Database, moves: readonly MovedOperation[]): Promise<boolean> {
  try {
    await database.transaction((session) => writeMoves(database, moves, session), { ...MOVE_OPTIONS, repeatForMs: 0 });
    return true;
  } catch (error) {
    if (isOfOne(error) || error instanceof WriteConflict) return false;
    throw error;
  }
}

async function writeMoves(
  database: Database,
  moves: readonly MovedOperation[],
  session: mongo.ClientSession,
): Promise<void> {
  const at = moves[0]?.operation.endedAt ?? database.now();
  await insertOperations(database, moves, session);
  const isOpen = isStillOpen(database, targetsIn(moves), moves[0]?.operation.campaignId ?? '');
  await insertBatches(database, moves, at, session);
  const updates = moves.flatMap(({ operation, batch }) =>
    writerOf(database, operation.request).updatesOf(batch.moves, at),
  );
  const { modifiedCount } = await database.conversations.bulkWrite(updates, { session });
  if (modifiedCount !== moves.length) throw new NotAsPlanned();
  await requireTargets(database, moves, isOpen, session);
}

function isOfOne(error: unknown): boolean {
  return error instanceof NotAsPlanned || isDuplicateKey(error);
}

function writerOf(database: Database, request: OperationRequest): MoveWriter {
  return new MoveWriter(database, request, { statuses: STATUSES, lastMovedBy: null, dealsAgain: false });
}

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

async function insertBatches(
  { batches }: Database,
  moves: readonly MovedOperation[],
  at: Date,
  session: mongo.ClientSession,
): Promise<void> {
  const docs = moves.flatMap(({ batch, endMarker }) => [
    { ...toBatchDoc(batch, 'applied', at), appliedAt: at },
    toBatchDoc(endMarker, 'end-marker', at),
  ]);
  await batches.insertMany(docs, { session });
}

/**
 * Reads beside the transaction whether conversations may still go to these targets. Call it after the first statement of the
 * transaction: a close that this read misses raises the fences of the texters later, and so it waits for the transaction or
 * conflicts with it. The read must see every write of the primary, also one that no majority has yet.
 */
function isStillOpen({ campaigns }: Database, targets: readonly string[], campaignId: string): Promise<boolean> {
  if (targets.length === 0) return Promise.resolve(true);
  const options = { projection: { closed: 1 }, readConcern: { level: 'local' } } as const;
  const isOpen = campaigns
    .findOne<StoredCampaign>({ _id: campaignId }, options)
    .then((campaign) => campaign !== null && !isClosed(campaign));
  // The transaction may fail before anybody needs the answer.
  isOpen.catch(() => undefined);
  return isOpen;
}

/** The last statement, because claims of the same texters write the same documents. Throws {@link NotAsPlanned}. */
async function requireTargets(
  database: Database,
  moves: readonly MovedOperation[],
  isOpen: Promise<boolean>,
  session: mongo.ClientSession,
): Promise<void> {
  const targets = targetsIn(moves);
  if (targets.length === 0) return;
  if (!(await isOpen)) throw new NotAsPlanned();
  const isActive = await fenceActive(database, moves[0]?.operation.campaignId ?? '', targets, session);
  if (!isActive) throw new NotAsPlanned();
}

function targetsIn(moves: readonly MovedOperation[]): string[] {
  return [...new Set(moves.flatMap(({ batch }) => batch.moves.flatMap(({ to }) => to ?? [])))];
}
