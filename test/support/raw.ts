import { EJSON } from 'bson';
import type { BatchDoc, ConversationDoc, OperationDoc } from '../../src/mongo/documents.ts';
import type { OperationRequest } from '../../src/operations/index.ts';
import type { Harness } from './harness.ts';

/** What really lies in the database, past every store and mapping. */

export async function rawConversations(harness: Harness, campaignId?: string): Promise<Map<string, ConversationDoc>> {
  const filter = campaignId === undefined ? {} : { campaignId };
  const docs = await harness.context.database.conversations.find(filter, { sort: { _id: 1 } }).toArray();
  return new Map(docs.map((doc) => [doc._id.toHexString(), doc]));
}

export async function rawOperation(harness: Harness, operationId: string): Promise<OperationDoc> {
  const doc = await harness.context.database.operations.findOne({ _id: operationId });
  if (!doc) throw new Error(`expected operation ${operationId} in the ledger, got none`);
  return doc;
}

export async function rawOperations(harness: Harness, campaignId: string): Promise<OperationDoc[]> {
  return harness.context.database.operations.find({ campaignId }, { sort: { sequence: 1 } }).toArray();
}

/** Returns the request with the type that its contract gives it. The schema knows only the fields of all kinds. */
export function requestOf({ request }: Pick<OperationDoc, 'request'>): OperationRequest {
  return request as OperationRequest;
}

/** In the order of their numbers. */
export async function rawBatches(harness: Harness, operationId: string): Promise<BatchDoc[]> {
  return harness.context.database.batches.find({ operationId }, { sort: { number: 1 } }).toArray();
}

/** Every field with its type: two documents that read the same are the same. */
export function bytesOf(doc: unknown): string {
  return EJSON.stringify(doc, { relaxed: false });
}

/** All conversations of the database as one string, to see that nothing at all was changed. */
export async function everyConversation(harness: Harness): Promise<string> {
  return bytesOf([...(await rawConversations(harness)).values()]);
}

export function idsOf(
  groups: readonly { readonly conversationIds: BatchDoc['moves'][number]['conversationIds'] }[],
): string[] {
  return groups.flatMap((group) => group.conversationIds.map((id) => id.toHexString()));
}
