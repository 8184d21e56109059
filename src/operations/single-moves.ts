import type { mongo } from 'mongoose';
import { WriteConflict } from '../domain/errors.ts';
import type { Database } from '../mongo/database.ts';
import { isDuplicateKey } from '../mongo/server-errors.ts';
import { countConflict } from '../telemetry/index.ts';
import { NotAsPlanned } from './apply-batch.ts';
import { toOperationDoc } from './insert-operation.ts';
import { toBatchDoc } from './mapping.ts';
import { MoveWriter } from './move-writer.ts';
import type { MovedOperation } from './ports.ts';

/**
 * How long a single move is repeated while it meets other writers. Long enough for a batch of an operation. A longer wait
 * would occupy the worker, so the job waits in the queue instead.
 */
const MOVE_REPEATED_FOR_MS = 500;

const MOVE_OPTIONS = { repeatForMs: MOVE_REPEATED_FOR_MS, onConflict: () => countConflict('move') };

/** Stores single moves of one campaign, with their operations. Returns false when they have to run step by step. */
export async function insertMovedOperations(database: Database, moves: readonly MovedOperation[]): Promise<boolean> {
  const options = moves.length === 1 ? MOVE_OPTIONS : { ...MOVE_OPTIONS, repeatForMs: 0 };
  try {
    await database.transaction((session) => writeMoves(database, moves, session), options);
    return true;
  } catch (error) {
    const isOfOne = error instanceof NotAsPlanned || isDuplicateKey(error);
    if (isOfOne || (moves.length > 1 && error instanceof WriteConflict)) return false;
    throw error;
  }
}

async function writeMoves(
  database: Database,
  moves: readonly MovedOperation[],
  session: mongo.ClientSession,
): Promise<void> {
  const at = moves[0]?.operation.endedAt ?? database.now();
  await database.operations.insertMany(
    moves.map(({ operation }) => toOperationDoc(operation)),
    { session },
  );
  const batches = moves.flatMap(({ batch, endMarker }) => [
    { ...toBatchDoc(batch, 'applied', at), appliedAt: at },
    toBatchDoc(endMarker, 'end-marker', at),
  ]);
  await database.batches.insertMany(batches, { session });
  await writeAsPlanned(database, moves, at, session);
}

/** Checks the targets and writes the moves, each under its own guards. Throws {@link NotAsPlanned}. */
async function writeAsPlanned(
  database: Database,
  moves: readonly MovedOperation[],
  at: Date,
  session: mongo.ClientSession,
): Promise<void> {
  const writers = moves.map(({ operation, batch }) => {
    const guard = { statuses: operation.plan?.statuses ?? [], lastMovedBy: null, dealsAgain: false };
    return { moves: batch.moves, writer: new MoveWriter(database, operation.request, guard) };
  });
  const targets = [...new Set(writers.flatMap((each) => each.moves.flatMap(({ to }) => to ?? [])))];
  const [first] = writers;
  if (first && targets.length > 0) {
    const { isClosed, active } = await first.writer.readTargets(targets, session);
    if (isClosed || active.length < targets.length) throw new NotAsPlanned();
  }
  const updates = writers.flatMap((each) => each.writer.updatesOf(each.moves, at));
  const { modifiedCount } = await database.conversations.bulkWrite(updates, { session });
  if (modifiedCount !== moves.length) throw new NotAsPlanned();
  await first?.writer.raiseFence(targets, session);
}
