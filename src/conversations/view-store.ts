import { Types, type mongo } from 'mongoose';
import { objectIds } from '../mongo/object-ids.ts';
import type { ConversationRecord, ConversationWithHistory, ViewStore } from './view-ports.ts';
import type { Database } from '../mongo/database.ts';
import type { ConversationDoc } from '../mongo/documents.ts';
import { PHONE_INDEX } from '../mongo/indexes.ts';

/** Large enough to keep a reader busy between two answers, small enough to hold. */
const CURSOR_CONVERSATIONS = 2_000;
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
    const options = { projection: RECORD, sort: BY_PHONE, hint: PHONE_INDEX, batchSize: CURSOR_CONVERSATIONS } as const;
    for await (const doc of this.database.conversations.find({ campaignId }, options)) yield toRecord(doc);
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
