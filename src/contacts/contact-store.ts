import { Types, type mongo } from 'mongoose';
import { BatchImport } from './batch-import.ts';
import type { ContactStore, ImportBatch, Imported, KnownContact } from './contact.ts';
import { eraseContacts, eraseFromOperations } from './erased-store.ts';
import type { PersonText } from './person-text.ts';
import { erasedPhone } from '../domain/erased.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import type { ConversationDoc } from '../mongo/documents.ts';
import { BY_ID, PHONE_INDEX } from '../mongo/indexes.ts';

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

  findById(campaignId: string, conversationId: string): Promise<readonly KnownContact[]> {
    return this.findKnown({ _id: new Types.ObjectId(conversationId), campaignId });
  }

  async findByPhone(
    campaignId: string,
    phones: readonly string[],
    fingerprint: string,
  ): Promise<readonly KnownContact[]> {
    const known = await this.findKnown({ campaignId, 'contact.phone': { $in: [...phones] } });
    const erased = { $gte: erasedPhone(fingerprint, ''), $lt: erasedPhone(fingerprint, 'g') };
    return [...known, ...(await this.findKnown({ campaignId, 'contact.phone': erased }))];
  }

  async withdraw(campaignId: string, conversationIds: readonly string[]): Promise<void> {
    const filter = { _id: { $in: conversationIds.map((id) => new Types.ObjectId(id)) }, campaignId };
    await this.database.conversations.updateMany(
      filter,
      { $set: { optedOut: true, status: 'closed' } },
      { hint: BY_ID },
    );
  }

  async erase(campaignId: string, contacts: readonly KnownContact[]): Promise<void> {
    if (contacts.length === 0) return;
    const { canonicalPhone } = await import('../domain/phone.ts');
    const country = (await this.database.campaigns.findOne({ _id: campaignId }))?.country ?? null;
    await eraseContacts(this.database, campaignId, contacts, (phone) => canonicalPhone(phone, country) ?? phone);
  }

  eraseFromOperations(campaignId: string, person: PersonText): Promise<void> {
    return eraseFromOperations(this.database, campaignId, person);
  }

  async findPhone(campaignId: string, conversationId: string): Promise<string | undefined> {
    const filter = { _id: new Types.ObjectId(conversationId), campaignId };
    const found = this.database.models.conversations.findOne(filter, { 'contact.phone': 1 });
    return (await found.lean<PhoneDoc>())?.contact?.phone;
  }

  private async findKnown(filter: mongo.Filter<ConversationDoc>): Promise<KnownContact[]> {
    const docs = await this.database.conversations
      .find(filter, { projection: { contact: 1 }, ...IN_ONE_BATCH })
      .toArray();
    // A document of another program may have no contact.
    return docs.map(({ _id, contact }: Partial<ConversationDoc> & Pick<ConversationDoc, '_id'>) => ({
      conversationId: _id.toHexString(),
      name: contact?.name ?? '',
      phone: contact?.phone ?? '',
    }));
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
    const { modifiedCount } = await this.database.conversations.updateMany(filter, update, { hint: BY_ID });
    return { conversationIds, changed: modifiedCount };
  }
}
