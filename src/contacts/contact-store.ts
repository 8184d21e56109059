import { Types } from 'mongoose';
import { BatchImport } from './batch-import.ts';
import type { ContactStore, ImportBatch, Imported } from './contact.ts';
import type { Database } from '../mongo/database.ts';
import type { ConversationDoc } from '../mongo/documents.ts';
import { PHONE_INDEX } from '../mongo/indexes.ts';

type PhoneDoc = Partial<Pick<ConversationDoc, 'contact'>>;
type OptOutDoc = Pick<ConversationDoc, '_id' | 'optedOut'>;

export class MongoContactStore implements ContactStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async importBatch(campaignId: string, batch: ImportBatch): Promise<Imported> {
    const optOut = async (phones: readonly string[]): Promise<number> =>
      (await this.setOptedOut(campaignId, phones, true)).changed;
    return new BatchImport(this.database, campaignId, batch).run(optOut);
  }

  async findPhone(campaignId: string, conversationId: string): Promise<string | undefined> {
    const filter = { _id: new Types.ObjectId(conversationId), campaignId };
    const found = this.database.models.conversations.findOne(filter, { 'contact.phone': 1 });
    return (await found.lean<PhoneDoc>())?.contact?.phone;
  }

  async setOptedOut(campaignId: string, phones: readonly string[], optedOut: boolean) {
    if (phones.length === 0) return { conversationIds: [], changed: 0 };
    const byPhone = { campaignId, 'contact.phone': { $in: [...phones] } };
    const options = { batchSize: phones.length + 1, hint: PHONE_INDEX };
    const found = this.database.models.conversations.find(byPhone, { _id: 1, optedOut: 1 }, options);
    const docs = await found.lean<OptOutDoc[]>();
    const ids = docs.filter((doc) => doc.optedOut !== optedOut).map(({ _id }) => _id);
    const conversationIds = docs.map(({ _id }) => _id.toHexString());
    if (ids.length === 0) return { conversationIds, changed: 0 };
    const filter = { _id: { $in: ids }, campaignId, optedOut: { $ne: optedOut } };
    const update = { $set: { optedOut } };
    const { modifiedCount } = await this.database.models.conversations.updateMany(filter, update);
    return { conversationIds, changed: modifiedCount };
  }
}
