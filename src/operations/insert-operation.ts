import type { mongo } from 'mongoose';
import { nextOperationCount } from '../campaigns/index.ts';
import { queueFull, Refusal, RESENDABLE_CODES, unknownCampaign } from '../domain/errors.ts';
import type { Database } from '../mongo/database.ts';
import { batchIdsOf, QUEUED, type OperationDoc } from '../mongo/documents.ts';
import { QUEUED_INDEX } from '../mongo/indexes.ts';
import { isDuplicateKey } from '../mongo/server-errors.ts';
import { toOperationDoc } from './mapping.ts';
import { NO_SEQUENCE, type Operation } from './operation.ts';

const RESENDABLE: readonly string[] = RESENDABLE_CODES;

/** Throws a duplicate key error when the id of the operation is taken. */
export async function insertOperation(
  database: Database,
  operation: Operation,
  session?: mongo.ClientSession,
): Promise<void> {
  await database.operations.insertOne(toOperationDoc(operation), session ? { session } : {});
}

/**
 * Inserts new operations of one campaign with the next numbers, in one transaction. Returns them with their numbers. Writes
 * nothing and returns `undefined` when an id exists, the campaign does not, or its queue has no room for all of them.
 */
export async function insertOperations(
  database: Database,
  operations: readonly Omit<Operation, 'sequence'>[],
  queuedMax: number,
): Promise<Operation[] | undefined> {
  const campaignId = operations[0]?.campaignId ?? '';
  const count = operations.length;
  try {
    return await database.transaction(async (session) => {
      const last = await nextSequence(database, campaignId, { queuedMax, session, count });
      if (last === NO_SEQUENCE) throw unknownCampaign(campaignId);
      const first = last - count + 1;
      const accepted = operations.map((operation, at) => ({ ...operation, sequence: first + at }));
      await database.operations.insertMany(accepted.map(toOperationDoc), { session });
      return accepted;
    });
  } catch (error) {
    if (isDuplicateKey(error) || error instanceof Refusal) return undefined;
    throw error;
  }
}

/** Replaces a refused operation, which has moved nothing, with the one that was sent again. */
export async function replaceRefused(
  database: Database,
  operation: Omit<Operation, 'sequence'>,
  queuedMax: number,
): Promise<void> {
  const { operationId, campaignId } = operation;
  const refused = {
    ...{ _id: operationId, state: 'failed' as const, expiring: { $exists: false } },
    ...{ 'error.code': { $in: [...RESENDABLE_CODES] }, 'receipt.moved': 0 },
  };
  await database.transaction(async (session) => {
    const before = await database.models.operations.findOneAndDelete(refused, { session }).lean<OperationDoc>();
    if (!before) return;
    // The end marker of the refused operation.
    await database.batches.deleteMany({ _id: batchIdsOf(operationId) }, { session });
    const sequence = await nextSequence(database, campaignId, { queuedMax, session });
    // A run of its own, so that a worker that still works on the refused one changes nothing.
    await insertOperation(database, { ...operation, sequence, reopened: (before.reopened ?? 0) + 1 }, session);
  });
}

/** Returns those of the ids that belong to an operation, and whether it was refused and can be sent again. */
export async function findAccepted(
  database: Database,
  operationIds: readonly string[],
): Promise<ReadonlyMap<string, 'accepted' | 'resendable'>> {
  const options = { projection: { 'error.code': 1 }, batchSize: operationIds.length + 1 } as const;
  const found = await database.operations.find({ _id: { $in: [...operationIds] } }, options).toArray();
  const isResendable = (code = ''): boolean => RESENDABLE.includes(code);
  return new Map(found.map(({ _id, error }) => [_id, isResendable(error?.code) ? 'resendable' : 'accepted']));
}

interface Queueing {
  /** How many bulk operations of one campaign may wait. */
  readonly queuedMax: number;
  readonly session: mongo.ClientSession;
  /** How many operations are added. Default: one. */
  readonly count?: number;
}

/**
 * Returns the number of the last of `count` more bulk operations of a campaign. Throws a `Refusal` when the queue of the
 * campaign has no room for them.
 */
export async function nextSequence(
  database: Database,
  campaignId: string,
  { queuedMax, session, count = 1 }: Queueing,
): Promise<number> {
  const sequence = await nextOperationCount(database, campaignId, count, session);
  const { operations } = database.models;
  const queued = { campaignId, ...QUEUED };
  const options = { session, hint: QUEUED_INDEX };
  const oldest = operations.findOne(queued, { sequence: 1 }, options).sort({ sequence: 1 });
  const first = (await oldest.lean<Pick<OperationDoc, 'sequence'>>())?.sequence ?? sequence - count + 1;
  // Counted only if the queue can be full: each number between the first one and this one stands for one operation at most.
  if (sequence - first < queuedMax) return sequence;
  const length = await operations.countDocuments(queued, { ...options, limit: queuedMax });
  if (length + count > queuedMax) throw queueFull(campaignId, queuedMax);
  return sequence;
}
