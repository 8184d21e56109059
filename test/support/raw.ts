import { EJSON } from 'bson';
import type { BatchDoc, ConversationDoc, OperationDoc } from '../../src/mongo/documents.ts';
import type { OperationRequest } from '../../src/operations/index.ts';
import type { Harness } from './harness.ts';

/** Reads conversations past the stores, as the functions below read other documents. Default: of all campaigns. */
export async function rawConversations(harness: Harness, campaignId?: string): Promise<Map<string, ConversationDoc>> {
  const filter = campaignId === undefined ? {} : { campaignId };
  const docs = await harness.context.database.conversations.find(filter, { sort: { _id: 1 } }).toArray();
  return new Map(docs.map((doc) => [doc._id.toHexString(), doc]));
}

export async function rawOperation(harness: Harness, operationId: string): Promise<OperationDoc> {
  const doc = await harness.context.database.operations.findOne({ _id: operationId });
  if (!doc) throw new Error(`operation ${operationId} is not in the database`);
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

/** Writes out every field with its type, so that equal texts mean equal documents. */
export function bytesOf(doc: unknown): string {
  return EJSON.stringify(doc, { relaxed: false });
}

/** Returns all conversations of the database as one text, to check that nothing has changed. */
export async function everyConversation(harness: Harness): Promise<string> {
  return bytesOf([...(await rawConversations(harness)).values()]);
}

export function idsOf(
  groups: readonly { readonly conversationIds: BatchDoc['moves'][number]['conversationIds'] }[],
): string[] {
  return groups.flatMap((group) => group.conversationIds.map((id) => id.toHexString()));
}

/** Returns everything that an operation stored, without ids and times, so that two operations can be compared. */
export async function outcomeOf(
  harness: Harness,
  { campaignId, operationId }: { readonly campaignId: string; readonly operationId: string },
): Promise<unknown> {
  const { state, error, receipt } = await rawOperation(harness, operationId);
  const conversations = [...(await rawConversations(harness, campaignId)).values()];
  const batches = await rawBatches(harness, operationId);
  const credits = await harness.context.stores.credits.list(campaignId);
  const inOrder = (rows: readonly unknown[]): string[] => rows.map((row) => JSON.stringify(row)).sort();
  return {
    state,
    code: error?.code,
    receipt: receipt && {
      ...receipt,
      skipped: inOrder(receipt.skipped),
      bySource: inOrder(receipt.bySource),
      byTarget: inOrder(receipt.byTarget),
      byStatus: inOrder(receipt.byStatus),
    },
    credits: inOrder(credits),
    conversations: conversations.map(({ assigneeId, assignmentVersion, history }) => [
      assigneeId,
      assignmentVersion,
      history.map(({ from, to }) => [from, to]),
    ]),
    batches: batches.map(({ number, state: batchState, moves, skips }) => [
      number,
      batchState,
      moves.map(({ from, to, status, count }) => [from, to, status, count]),
      skips.map(({ reason, count }) => [reason, count]),
    ]),
  };
}
