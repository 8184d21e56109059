import { Types, type mongo } from 'mongoose';
import type { ContactStore, NewConversation } from './ports.ts';
import { isDuplicateKey, type Database } from '../mongo/database.ts';
import type { ConversationDoc } from '../mongo/documents.ts';

export class MongoContactStore implements ContactStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /** Looks first, so that importing again is cheap; the unique index decides where two imports meet. */
  async insertNew(campaignId: string, conversations: readonly NewConversation[], at: Date): Promise<number> {
    const known = await this.phonesAmong(campaignId, conversations);
    const docs = conversations
      .filter(({ phone }) => !known.has(phone) && known.add(phone))
      .map((conversation) => toDoc(campaignId, conversation, at));
    if (docs.length === 0) return 0;
    try {
      return (await this.database.conversations.insertMany(docs, { ordered: false })).insertedCount;
    } catch (error) {
      return insertedDespite(error);
    }
  }

  private async phonesAmong(campaignId: string, conversations: readonly NewConversation[]): Promise<Set<string>> {
    const filter = { campaignId, 'contact.phone': { $in: conversations.map(({ phone }) => phone) } };
    const options = { projection: { _id: 0, 'contact.phone': 1 }, batchSize: conversations.length + 1 };
    const found = this.database.conversations.find<Pick<ConversationDoc, 'contact'>>(filter, options);
    return new Set((await found.toArray()).map(({ contact }) => contact.phone));
  }
}

/** How many of an unordered insert went in; rethrows unless all that did not were there already. */
function insertedDespite(error: unknown): number {
  if (!isDuplicateKey(error)) throw error;
  const { writeErrors, insertedCount } = error as mongo.MongoBulkWriteError;
  const each = Array.isArray(writeErrors) ? writeErrors : [writeErrors];
  if (!each.every(isDuplicateKey)) throw error;
  return insertedCount;
}

/** Every field is written: a missing one is not `null` to every index. */
function toDoc(campaignId: string, conversation: NewConversation, at: Date): ConversationDoc {
  const { externalId, name, phone, assigneeId, status, waitingSince, optedOut } = conversation;
  const { lastInboundAt, lastOutboundAt, createdAt } = conversation;
  return {
    _id: new Types.ObjectId(),
    campaignId,
    externalId,
    contact: { name, phone },
    assigneeId: assigneeId,
    status,
    waitingSince,
    optedOut,
    assignmentVersion: 0,
    assignedAt: assigneeId === null ? null : at,
    lastInboundAt,
    lastOutboundAt,
    lastOperationId: null,
    history: [],
    createdAt,
  };
}
