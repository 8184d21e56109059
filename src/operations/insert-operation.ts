import type { mongo } from 'mongoose';
import { nextOperationCount } from '../campaigns/index.ts';
import { queueFull } from '../domain/errors.ts';
import type { Database } from '../mongo/database.ts';
import { QUEUED, type OperationDoc } from '../mongo/documents.ts';
import { QUEUED_INDEX } from '../mongo/indexes.ts';
import type { Operation } from './operation.ts';

/** Throws a duplicate key error when the id of the operation is taken. */
export async function insertOperation(
  database: Database,
  operation: Operation,
  session?: mongo.ClientSession,
): Promise<void> {
  await database.operations.insertOne(toOperationDoc(operation), session ? { session } : {});
}

export function toOperationDoc({ operationId, ...rest }: Operation): OperationDoc {
  return { _id: operationId, kind: rest.request.kind, ...rest };
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
