import { Types, type mongo } from 'mongoose';
import { BatchImport } from './batch-import.ts';
import type { Chosen, ContactStore, ImportBatch, Imported, KnownContact } from './contact.ts';
import { eraseContacts, eraseFromOperations } from './erased-store.ts';
import type { PersonText } from './person-text.ts';
import { toKnownContact } from './stored.ts';
import { erasedPhone } from '../domain/erased.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import type { ConversationDoc } from '../mongo/documents.ts';
import { BY_ID, PHONE_INDEX } from '../mongo/indexes.ts';
import { storedText } from '../mongo/stored-values.ts';

type OptOutDoc = Pick<ConversationDoc, '_id'> & { readonly optedOut?: unknown };

export class MongoContactStore implements ContactStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async importBatch(campaignId: string, batch: ImportBatch): Promise<Imported> {
    const optOut = async (phones: readonly string[]): Promise<number> =>
      (await this.setOptedOut(campaignId, { phones }, true)).changed;
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
    const campaign = await this.database.campaigns.findOne({ _id: campaignId }, { projection: { country: 1 } });
    const country = storedText(campaign?.country);
    await eraseContacts(this.database, campaignId, contacts, (phone) => canonicalPhone(phone, country) ?? phone);
  }

  eraseFromOperations(campaignId: string, person: PersonText): Promise<void> {
    return eraseFromOperations(this.database, campaignId, person);
  }

  private async findKnown(filter: mongo.Filter<ConversationDoc>): Promise<KnownContact[]> {
    const docs = await this.database.conversations
      .find(filter, { projection: { contact: 1 }, ...IN_ONE_BATCH })
      .toArray();
    return docs.map(toKnownContact);
  }

  async setOptedOut(campaignId: string, { phones = [], conversationIds: chosen = [] }: Chosen, optedOut: boolean) {
    const byId = { _id: { $in: chosen.map((id) => new Types.ObjectId(id)) }, campaignId };
    const byPhone = { campaignId, 'contact.phone': { $in: [...phones] } };
    const docs = [
      ...(chosen.length > 0 ? await this.findOptOuts(byId, {}) : []),
      ...(phones.length > 0 ? await this.findOptOuts(byPhone, { hint: PHONE_INDEX }) : []),
    ];
    const ids = docs.filter((doc) => doc.optedOut !== optedOut).map(({ _id }) => _id);
    const conversationIds = [...new Set(docs.map(({ _id }) => _id.toHexString()))];
    if (ids.length === 0) return { conversationIds, changed: 0 };
    const filter = { _id: { $in: ids }, campaignId, optedOut: { $ne: optedOut } };
    const update = { $set: { optedOut } };
    const { modifiedCount } = await this.database.conversations.updateMany(filter, update, { hint: BY_ID });
    return { conversationIds, changed: modifiedCount };
  }

  private findOptOuts(filter: mongo.Filter<ConversationDoc>, options: mongo.FindOptions): Promise<OptOutDoc[]> {
    const projection = { _id: 1, optedOut: 1 };
    return this.database.conversations.find<OptOutDoc>(filter, { ...options, ...IN_ONE_BATCH, projection }).toArray();
  }
}
