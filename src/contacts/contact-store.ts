import { Types, type mongo } from 'mongoose';
import type { ContactStore, NewConversation } from './contact.ts';
import { isDuplicateKey, type Database } from '../mongo/database.ts';
import type { ConversationDoc } from '../mongo/documents.ts';

export class MongoContactStore implements ContactStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /**
   * Reads the known phone numbers first, so that a repeated import writes nothing. If two imports insert the same number
   * at the same time, the unique index accepts one of them.
   */
  async insertNew(campaignId: string, conversations: readonly NewConversation[], at: Date): Promise<number> {
    const known = await this.knownPhones(campaignId, conversations);
    const docs = conversations
      .filter(({ phone }) => !known.has(phone) && known.add(phone))
      .map((conversation) => toDoc(campaignId, conversation, at));
    if (docs.length === 0) return 0;
    try {
      return (await this.database.conversations.insertMany(docs, { ordered: false })).insertedCount;
    } catch (error) {
      return insertedCountOf(error);
    }
  }

  private async knownPhones(campaignId: string, conversations: readonly NewConversation[]): Promise<Set<string>> {
    const filter = { campaignId, 'contact.phone': { $in: conversations.map(({ phone }) => phone) } };
    const options = { batchSize: conversations.length + 1 };
    const found = this.database.models.conversations.find(filter, { _id: 0, 'contact.phone': 1 }, options);
    return new Set((await found.lean<Pick<ConversationDoc, 'contact'>[]>()).map(({ contact }) => contact.phone));
  }
}

/** Returns how many documents an insert wrote if duplicate keys were its only errors. Rethrows any other error. */
function insertedCountOf(error: unknown): number {
  if (!isDuplicateKey(error)) throw error;
  const { writeErrors, insertedCount } = error as mongo.MongoBulkWriteError;
  const errors = Array.isArray(writeErrors) ? writeErrors : [writeErrors];
  if (!errors.every(isDuplicateKey)) throw error;
  return insertedCount;
}

/** Writes every field, because partial indexes do not treat a missing field as `null` in every case. */
function toDoc(campaignId: string, conversation: NewConversation, at: Date): ConversationDoc {
  const { name, phone, assigneeId, ...fields } = conversation;
  return {
    _id: new Types.ObjectId(),
    campaignId,
    ...fields,
    contact: { name, phone },
    assigneeId,
    assignmentVersion: 0,
    assignedAt: assigneeId === null ? null : at,
    lastOperationId: null,
    history: [],
  };
}
