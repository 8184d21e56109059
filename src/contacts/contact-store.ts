import { Types, type mongo, type ProjectionType } from 'mongoose';
import type { ContactStore, ImportBatch, Imported, NewConversation } from './contact.ts';
import { isDuplicateKey, type Database } from '../mongo/database.ts';
import type { ConversationDoc } from '../mongo/documents.ts';
import { PHONE_INDEX } from '../mongo/indexes.ts';

type PhoneDoc = Pick<ConversationDoc, 'contact'>;

export class MongoContactStore implements ContactStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /**
   * Reads the known phone numbers first, so that a repeated import writes nothing. If two imports insert the same number
   * at the same time, the unique index accepts one of them. People are opted out after the insert, so that this also
   * reaches a conversation that another import has just inserted.
   */
  async importBatch(campaignId: string, { conversations, optOuts, at }: ImportBatch): Promise<Imported> {
    const optedOut = new Set([...optOuts, ...conversations.filter((each) => each.optedOut).map(({ phone }) => phone)]);
    const known = await this.knownPhones(campaignId, conversations);
    const docs = conversations
      .filter(({ phone }) => !known.has(phone) && known.add(phone))
      .map((each) => toDoc(campaignId, { ...each, optedOut: optedOut.has(each.phone) }, at));
    const added = docs.length === 0 ? [] : await this.insert(docs);
    const { changed } = await this.setOptedOut(campaignId, [...optedOut], true);
    return { added: added.length, optedOut: added.filter((doc) => doc.optedOut).length + changed };
  }

  async findPhone(campaignId: string, conversationId: string): Promise<string | undefined> {
    const filter = { _id: new Types.ObjectId(conversationId), campaignId };
    const found = this.database.models.conversations.findOne(filter, { 'contact.phone': 1 });
    return (await found.lean<PhoneDoc>())?.contact.phone;
  }

  async setOptedOut(campaignId: string, phones: readonly string[], optedOut: boolean) {
    if (phones.length === 0) return { conversationIds: [], changed: 0 };
    const docs = await this.findByPhones(campaignId, phones, { _id: 1, optedOut: 1 });
    const ids = docs.filter((doc) => doc.optedOut !== optedOut).map(({ _id }) => _id);
    const conversationIds = docs.map(({ _id }) => _id.toHexString());
    if (ids.length === 0) return { conversationIds, changed: 0 };
    const filter = { _id: { $in: ids }, campaignId, optedOut: { $ne: optedOut } };
    const update = { $set: { optedOut } };
    const { modifiedCount } = await this.database.models.conversations.updateMany(filter, update);
    return { conversationIds, changed: modifiedCount };
  }

  private async knownPhones(campaignId: string, conversations: readonly NewConversation[]): Promise<Set<string>> {
    const phones = conversations.map(({ phone }) => phone);
    const docs = await this.findByPhones(campaignId, phones, { _id: 0, 'contact.phone': 1 });
    return new Set(docs.map(({ contact }) => contact.phone));
  }

  /** The type has all fields, but a document has only those that `fields` names. */
  private async findByPhones(campaignId: string, phones: readonly string[], fields: ProjectionType<ConversationDoc>) {
    const filter = { campaignId, 'contact.phone': { $in: [...phones] } };
    const options = { batchSize: phones.length + 1, hint: PHONE_INDEX };
    const found = this.database.models.conversations.find(filter, fields, options);
    return found.lean<ConversationDoc[]>();
  }

  /** Returns the documents that were written: all but those whose phone number another import has just inserted. */
  private async insert(docs: readonly ConversationDoc[]): Promise<readonly ConversationDoc[]> {
    try {
      await this.database.conversations.insertMany([...docs], { ordered: false });
      return docs;
    } catch (error) {
      const refused = duplicatesIn(error);
      return docs.filter((_, index) => !refused.has(index));
    }
  }
}

/** Returns the indexes of the documents that an insert refused as duplicates. Rethrows any other error. */
function duplicatesIn(error: unknown): ReadonlySet<number> {
  if (!isDuplicateKey(error)) throw error;
  const { writeErrors } = error as mongo.MongoBulkWriteError;
  const errors: readonly mongo.WriteError[] = Array.isArray(writeErrors) ? writeErrors : [writeErrors];
  if (!errors.every(isDuplicateKey)) throw error;
  return new Set(errors.map(({ index }) => index));
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
