import { Types, type mongo } from 'mongoose';
import type { StoredBatch } from '../operations/ports.ts';
import type { ConversationRecord, ConversationWithHistory, AnyOperation, ViewStore } from './view-ports.ts';
import { fromDoc, objectIds } from '../operations/batch-mapping.ts';
import type { Database } from '../mongo/database.ts';
import { batchIdsOf, type ClaimDoc, type ConversationDoc, type OperationDoc } from '../mongo/documents.ts';

/** Large enough to keep a reader busy between two answers, small enough to hold. */
const CURSOR_CONVERSATIONS = 2_000;
const CURSOR_BATCHES = 8;
const OBJECT_ID = /^[0-9a-f]{24}$/;
/** A conversation keeps its place here while it moves: whoever reads in this order meets each once. */
const BY_PHONE = { campaignId: 1, 'contact.phone': 1 } as const;

const RECORD = { history: 0, lastOperationId: 0, assignmentVersion: 0 } as const;

export class MongoViewStore implements ViewStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async describe(campaignId: string, conversationIds: readonly string[]): Promise<ConversationRecord[]> {
    const filter = { _id: { $in: objectIds(conversationIds) }, campaignId };
    const options = { projection: RECORD, batchSize: conversationIds.length + 1 };
    return (await this.database.conversations.find(filter, options).toArray()).map(toRecord);
  }

  async conversationsMeant(campaignId: string, word: string, limit: number): Promise<string[]> {
    if (OBJECT_ID.test(word)) {
      const byId = await this.idsWhere({ _id: new Types.ObjectId(word), campaignId }, limit);
      if (byId.length > 0) return byId;
    }
    const byExternalId = await this.idsWhere({ campaignId, externalId: word }, limit);
    if (byExternalId.length > 0) return byExternalId;
    return this.idsWhere({ campaignId, 'contact.name': word }, limit);
  }

  async findWithHistory(campaignId: string, conversationId: string): Promise<ConversationWithHistory | undefined> {
    const filter = { _id: new Types.ObjectId(conversationId), campaignId };
    const doc = await this.database.conversations.findOne(filter);
    if (!doc) return undefined;
    const { assignmentVersion, lastOperationId, history } = doc;
    return { ...toRecord(doc), assignmentVersion, lastOperationId, history };
  }

  async *everyConversation(campaignId: string): AsyncGenerator<ConversationRecord> {
    const options = { projection: RECORD, sort: BY_PHONE, hint: BY_PHONE, batchSize: CURSOR_CONVERSATIONS } as const;
    for await (const doc of this.database.conversations.find({ campaignId }, options)) yield toRecord(doc);
  }

  async listOperations(campaignId: string, limit: number): Promise<AnyOperation[]> {
    const newest = this.database.operations.find({ campaignId }, { sort: { acceptedAt: -1, _id: 1 }, limit });
    return (await newest.toArray()).map(toEntry);
  }

  async findOperation(operationId: string): Promise<AnyOperation | undefined> {
    const doc = await this.database.operations.findOne({ _id: operationId });
    return doc ? toEntry(doc) : undefined;
  }

  async *batchesOf(operationId: string): AsyncGenerator<StoredBatch> {
    const options = { sort: { _id: 1 }, batchSize: CURSOR_BATCHES } as const;
    for await (const doc of this.database.batches.find({ _id: batchIdsOf(operationId) }, options)) yield fromDoc(doc);
  }

  private async idsWhere(filter: mongo.Filter<ConversationDoc>, limit: number): Promise<string[]> {
    const found = this.database.conversations.find<{ _id: Types.ObjectId }>(filter, { projection: { _id: 1 }, limit });
    return (await found.toArray()).map(({ _id }) => _id.toHexString());
  }
}

function toRecord(doc: ConversationDoc): ConversationRecord {
  return {
    conversationId: doc._id.toHexString(),
    externalId: doc.externalId,
    name: doc.contact.name,
    phone: doc.contact.phone,
    status: doc.status,
    assigneeId: doc.assigneeId,
    optedOut: doc.optedOut,
    waitingSince: doc.waitingSince,
    lastInboundAt: doc.lastInboundAt,
    lastOutboundAt: doc.lastOutboundAt,
    assignedAt: doc.assignedAt,
    createdAt: doc.createdAt,
  };
}

/** As people see it: what is only there for the machinery stays behind. */
export function toEntry(doc: OperationDoc | ClaimDoc): AnyOperation {
  const { _id: operationId, campaignId, request, requestHash, madeBy, state, sequence } = doc;
  const { receipt, error, cancellation, acceptedAt, startedAt, endedAt } = doc;
  const entry = { operationId, campaignId, request, requestHash, madeBy, state, sequence };
  const failures = doc.failures ? { failures: doc.failures } : {};
  const granted = 'granted' in doc ? { granted: doc.granted.map((id) => id.toHexString()) } : {};
  return { ...entry, receipt, error, cancellation, acceptedAt, startedAt, endedAt, ...failures, ...granted };
}
