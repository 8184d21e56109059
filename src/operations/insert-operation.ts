import type { mongo } from 'mongoose';
import { nextOperationCount } from '../campaigns/index.ts';
import { Halted, queueFull } from '../domain/errors.ts';
import type { Database } from '../mongo/database.ts';
import { QUEUED, type OperationDoc } from '../mongo/documents.ts';
import { QUEUED_INDEX } from '../mongo/indexes.ts';
import { isDuplicateKey } from '../mongo/server-errors.ts';
import { countConflict } from '../telemetry/index.ts';
import { BatchApplication, NotAsPlanned, WHOLE } from './apply-batch.ts';
import type { Batch } from './batch.ts';
import type { Operation } from './operation.ts';

/**
 * How long a single move is repeated while it meets other writers. Long enough for a batch of an operation. A longer wait
 * would occupy the worker, so the job waits in the queue instead.
 */
const MOVE_REPEATED_FOR_MS = 500;

const MOVE_OPTIONS = { repeatForMs: MOVE_REPEATED_FOR_MS, onConflict: () => countConflict('move') };

/** Throws a duplicate key error when the id of the operation is taken. */
export async function insertOperation(
  database: Database,
  { operationId, ...rest }: Operation,
  session?: mongo.ClientSession,
): Promise<void> {
  const doc: OperationDoc = { _id: operationId, kind: rest.request.kind, ...rest };
  await database.operations.insertOne(doc, session ? { session } : {});
}

interface Queueing {
  /** How many bulk operations of one campaign may wait. */
  readonly queuedMax: number;
  readonly session: mongo.ClientSession;
}

/** Returns the number of one more bulk operation of a campaign. Throws a `Refusal` when the queue of the campaign is full. */
export async function nextSequence(
  database: Database,
  campaignId: string,
  { queuedMax, session }: Queueing,
): Promise<number> {
  const sequence = await nextOperationCount(database, campaignId, session);
  const { operations } = database.models;
  const queued = { campaignId, ...QUEUED };
  const options = { session, hint: QUEUED_INDEX };
  const oldest = operations.findOne(queued, { sequence: 1 }, options).sort({ sequence: 1 });
  const first = (await oldest.lean<Pick<OperationDoc, 'sequence'>>())?.sequence ?? sequence;
  // Counted only if the queue can be full: each number between the first one and this one stands for one operation at most.
  if (sequence - first < queuedMax) return sequence;
  const length = await operations.countDocuments(queued, { ...options, limit: queuedMax });
  if (length >= queuedMax) throw queueFull(campaignId, queuedMax);
  return sequence;
}

/** Stores the operation of a single move with its move, in one transaction. Returns false when it has to run step by step. */
export async function insertMovedOperation(
  database: Database,
  operation: Operation,
  batch: Batch,
  endMarker: Batch,
): Promise<boolean> {
  const guard = { statuses: operation.plan?.statuses ?? [], lastMovedBy: null, dealsAgain: false };
  const application = new BatchApplication(database, batch, operation.request, { ...WHOLE, guard });
  try {
    await database.transaction(async (session) => {
      await insertOperation(database, operation, session);
      await application.applyNew(endMarker, operation.endedAt ?? database.now(), session);
    }, MOVE_OPTIONS);
    return true;
  } catch (error) {
    if (error instanceof NotAsPlanned || error instanceof Halted || isDuplicateKey(error)) return false;
    throw error;
  }
}
