import { Types, type QueryFilter } from 'mongoose';
import type { ConversationRecord, ConversationWithHistory, TextMatch, ViewStore } from './ports.ts';
import { assigneeOf, createdAt, waitsSince, type StoredConversation } from './stored.ts';
import { isStatus, type HistoryMove } from '../domain/conversation.ts';
import { isErased } from '../domain/erased.ts';
import { stream, type Database } from '../mongo/database.ts';
import { objectIds, type ConversationDoc } from '../mongo/documents.ts';
import { BY_ID, PHONE_INDEX } from '../mongo/indexes.ts';
import { storedCount, storedDate, storedFields, storedText } from '../mongo/stored-values.ts';

/** Large enough that few round trips are needed, small enough for memory. */
const EXPORT_BATCH_SIZE = 2_000;
const OBJECT_ID = /^[0-9a-f]{24}$/;
/** A move changes neither key, so a cursor in this order meets each conversation exactly once. */
const BY_PHONE = { campaignId: 1, 'contact.phone': 1 } as const;
const RECORD_FIELDS = { history: 0, lastOperationId: 0, assignmentVersion: 0, atLastMove: 0 } as const;

export class MongoViewStore implements ViewStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async findByIds(campaignId: string, conversationIds: readonly string[]): Promise<ConversationRecord[]> {
    const filter = { _id: { $in: objectIds(conversationIds) }, campaignId };
    const options = { batchSize: conversationIds.length + 1, hint: BY_ID };
    const found = this.database.models.conversations.find(filter, RECORD_FIELDS, options);
    return (await found.lean<StoredConversation[]>()).map(toRecord);
  }

  async findByText(campaignId: string, texts: readonly string[], limit: number): Promise<TextMatch[]> {
    const ids = texts.filter((text) => OBJECT_ID.test(text));
    const found = await Promise.all([
      ids.length === 0 ? [] : this.findIds('id', { _id: { $in: objectIds(ids) }, campaignId }, limit),
      this.findIds('external id', { campaignId, externalId: { $in: [...texts] } }, limit),
      this.findIds('contact', { campaignId, 'contact.name': { $in: [...texts] } }, limit),
    ]);
    return found.flat();
  }

  findByNameInAnyCase(campaignId: string, name: string, limit: number): Promise<TextMatch[]> {
    const pattern = new RegExp(`^${name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`, 'i');
    return this.findIds('contact', { campaignId, 'contact.name': pattern }, limit);
  }

  findByPhone(campaignId: string, phone: string, limit: number): Promise<TextMatch[]> {
    return this.findIds('phone number', { campaignId, 'contact.phone': phone }, limit);
  }

  findByLastDigits(campaignId: string, digits: string, limit: number): Promise<TextMatch[]> {
    return this.findIds('phone number', { campaignId, 'contact.phone': new RegExp(`^\\+\\d{1,4}${digits}$`) }, limit);
  }

  async findWithHistory(campaignId: string, conversationId: string): Promise<ConversationWithHistory | undefined> {
    const filter = { _id: new Types.ObjectId(conversationId), campaignId };
    const doc = await this.database.models.conversations.findOne(filter).lean<StoredConversation>();
    if (!doc) return undefined;
    return {
      ...toRecord(doc),
      assignmentVersion: storedCount(doc.assignmentVersion) ?? 0,
      lastOperationId: storedText(doc.lastOperationId),
      history: toHistory(doc.history),
    };
  }

  async *everyConversation(campaignId: string): AsyncGenerator<ConversationRecord> {
    const found = this.database.models.conversations.find({ campaignId }, RECORD_FIELDS).sort(BY_PHONE);
    const byPhone = found.hint(PHONE_INDEX);
    for await (const doc of stream<StoredConversation>(byPhone, EXPORT_BATCH_SIZE)) yield toRecord(doc);
  }

  private async findIds(
    by: TextMatch['by'],
    filter: QueryFilter<ConversationDoc>,
    limit: number,
  ): Promise<TextMatch[]> {
    const found = this.database.models.conversations.find(filter, { _id: 1 }).limit(limit);
    const docs = await found.lean<Pick<ConversationDoc, '_id'>[]>();
    return docs.map(({ _id }) => ({ conversationId: _id.toHexString(), by }));
  }
}

function toRecord(doc: StoredConversation): ConversationRecord {
  const contact = storedFields(doc.contact);
  const phone = storedText(contact['phone']) ?? '';
  return {
    conversationId: doc._id.toHexString(),
    externalId: storedText(doc.externalId),
    name: storedText(contact['name']) ?? '',
    phone: isErased(phone) ? '' : phone,
    status: isStatus(doc.status) ? doc.status : null,
    assigneeId: assigneeOf(doc),
    optedOut: typeof doc.optedOut === 'boolean' ? doc.optedOut : null,
    waitingSince: waitsSince(doc),
    lastInboundAt: storedDate(doc.lastInboundAt),
    lastOutboundAt: storedDate(doc.lastOutboundAt),
    assignedAt: storedDate(doc.assignedAt),
    createdAt: createdAt(doc),
  };
}

/** Leaves out entries that are not moves. */
function toHistory(history: unknown): HistoryMove[] {
  return (Array.isArray(history) ? history : []).flatMap((entry) => {
    const { operationId, from, to, at, by } = storedFields(entry);
    const [id, moment] = [storedText(operationId), storedDate(at)];
    if (id === null || moment === null) return [];
    return { operationId: id, from: storedText(from), to: storedText(to), at: moment, by: storedText(by) };
  });
}
