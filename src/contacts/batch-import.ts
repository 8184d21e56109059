import { Types, type mongo } from 'mongoose';
import { isClosed, RAISE_FENCE } from '../campaigns/index.ts';
import { ofErased } from './erased-store.ts';
import { phonesIn, type StoredPerson } from './stored.ts';
import type { ImportBatch, Imported, NewConversation, Refused } from './contact.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import { duplicatesIn, isDuplicateKey } from '../mongo/server-errors.ts';
import type { ConversationDoc } from '../mongo/documents.ts';
import { BY_ID, PHONE_INDEX } from '../mongo/indexes.ts';

/** Another import may insert the same numbers in the meantime. Each attempt finds the numbers of the one before. */
const ATTEMPTS_MAX = 5;

interface Inserted {
  readonly added: readonly ConversationDoc[];
  readonly refused: readonly Refused[];
}

/** Inserts one batch of an import. */
export class BatchImport {
  private readonly database: Database;
  private readonly campaignId: string;
  private readonly batch: ImportBatch;
  /** The phone numbers of the batch that are opted out. */
  private readonly optedOut: Set<string>;

  constructor(database: Database, campaignId: string, batch: ImportBatch) {
    this.database = database;
    this.campaignId = campaignId;
    this.batch = batch;
    const optedOut = batch.conversations.filter((each) => each.optedOut).map(({ phone }) => phone);
    this.optedOut = new Set([...batch.optOuts, ...optedOut]);
  }

  /** `optOut` opts out the stored conversations of phone numbers and returns how many changed. */
  async run(optOut: (phones: readonly string[]) => Promise<number>): Promise<Imported> {
    const { conversations, sharesIds } = this.batch;
    const shared = sharesIds ? [] : await this.refuseSharedIds();
    const erased = await ofErased(this.database, this.campaignId, conversations);
    const own = conversations.filter((each) => !shared.includes(each) && !erased.includes(each));
    const isGuarded = own.some((each) => this.assigneeOf(each) !== null);
    const { added: inserted, refused } = isGuarded ? await this.insertGuarded(own) : await this.insertUnguarded(own);
    // After the insert, so that it also reaches a conversation that another import has just inserted.
    const added = await this.withoutErased(inserted);
    const changed = await optOut([...this.optedOut]);
    const assigned = new Set(conversations.filter((each) => each.assigneeId !== null).map(({ phone }) => phone));
    return {
      added: added.length,
      optedOut: added.filter((doc) => doc.optedOut).length + changed,
      leftInPool: added.filter((doc) => doc.assigneeId === null && assigned.has(doc.contact.phone)).length,
      refused: [
        ...refused,
        ...erased.map((conversation) => ({ conversation, because: 'erased' as const })),
        ...shared
          .filter((each) => !erased.includes(each))
          .map((conversation) => ({ conversation, because: 'external-id-taken' as const })),
      ],
    };
  }

  /** Removes the people who were erased between the check and the insert, when their numbers were free again. */
  private async withoutErased(inserted: readonly ConversationDoc[]): Promise<readonly ConversationDoc[]> {
    const erased = await ofErased(
      this.database,
      this.campaignId,
      inserted.map((doc) => ({ doc, phone: doc.contact.phone })),
    );
    if (erased.length === 0) return inserted;
    const docs = erased.map(({ doc }) => doc);
    const filter = { _id: { $in: docs.map(({ _id }) => _id) }, campaignId: this.campaignId, assignmentVersion: 0 };
    await this.database.conversations.deleteMany(filter, { hint: BY_ID });
    // A conversation that has moved already stays, opted out.
    for (const { phone } of erased) this.optedOut.add(phone);
    return inserted.filter((doc) => !docs.includes(doc));
  }

  /**
   * Returns the conversations whose external id belongs to another phone number: of the campaign, or of an earlier row. If
   * such a row says that the person has opted out, this holds for the number that the campaign knows.
   */
  private async refuseSharedIds(): Promise<NewConversation[]> {
    const phoneById = await this.phonesByExternalId();
    return this.batch.conversations.filter(({ externalId, phone, optedOut }) => {
      if (externalId === null) return false;
      const phones = phoneById.get(externalId) ?? new Set([phone]);
      phoneById.set(externalId, phones);
      const isTaken = !phones.has(phone);
      if (isTaken && optedOut) phones.forEach((known) => this.optedOut.add(known));
      return isTaken;
    });
  }

  private async phonesByExternalId(): Promise<Map<string, Set<string>>> {
    const externalIds = new Set(this.batch.conversations.flatMap(({ externalId }) => externalId ?? []));
    const phones = new Map<string, Set<string>>();
    if (externalIds.size === 0) return phones;
    const filter = { campaignId: this.campaignId, externalId: { $in: [...externalIds] } };
    const options = { projection: { _id: 0, externalId: 1, 'contact.phone': 1 }, ...IN_ONE_BATCH };
    for (const doc of await this.database.conversations.find<StoredPerson>(filter, options).toArray()) {
      // A contact without a number makes the id taken as well: a second conversation could be with the same person.
      for (const externalId of [doc.externalId].flat()) {
        const known = phones.get(String(externalId)) ?? new Set();
        phones.set(String(externalId), new Set([...known, ...phonesIn(doc)]));
      }
    }
    return phones;
  }

  /** If two imports insert the same number at the same time, the unique index accepts one of them. */
  private async insertUnguarded(conversations: readonly NewConversation[]): Promise<Inserted> {
    const docs = await this.newDocs(conversations);
    if (docs.length === 0) return { added: [], refused: [] };
    try {
      await this.database.conversations.insertMany(docs, { ordered: false });
      return { added: docs, refused: [] };
    } catch (error) {
      const duplicates = duplicatesIn(error);
      return { added: docs.filter((_, index) => !duplicates.has(index)), refused: [] };
    }
  }

  /** Gives nothing on a campaign that has been closed meanwhile, and nothing to a texter who has been paused. */
  private async insertGuarded(conversations: readonly NewConversation[]): Promise<Inserted> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.database.transaction((session) => this.insertIfActive(conversations, session));
      } catch (error) {
        // A duplicate key ends the transaction.
        if (!isDuplicateKey(error) || attempt === ATTEMPTS_MAX) throw error;
      }
    }
  }

  private async insertIfActive(
    conversations: readonly NewConversation[],
    session: mongo.ClientSession,
  ): Promise<Inserted> {
    const open = await this.lockTexters(session);
    const refused = conversations.filter((each) => !isAllowed(this.assigneeOf(each), open));
    const allowed = conversations.filter((each) => !refused.includes(each));
    const docs = await this.newDocs(allowed, session);
    if (docs.length > 0) await this.database.conversations.insertMany(docs, { session });
    return { added: docs, refused: refused.map((conversation) => ({ conversation, because: 'assignee-inactive' })) };
  }

  /**
   * Returns the assignees of the batch that may be given conversations. Writes their documents, so that a pause or a close at
   * the same time makes this transaction begin again.
   */
  private async lockTexters(session: mongo.ClientSession): Promise<ReadonlySet<string>> {
    const { database, campaignId } = this;
    const texterIds = new Set(this.batch.conversations.map((each) => this.assigneeOf(each)));
    const filter = { campaignId, texterId: { $in: [...texterIds].filter((texterId) => texterId !== null) } };
    await database.texters.updateMany(filter, RAISE_FENCE, { session });
    const campaign = await database.campaigns.findOne({ _id: campaignId }, { session, projection: { closed: 1 } });
    if (!campaign || isClosed(campaign)) return new Set();
    const options = { session, projection: { _id: 0, texterId: 1 }, ...IN_ONE_BATCH };
    const allowed = this.batch.keepsAssignees ? filter : { ...filter, active: true };
    const texters = await database.texters.find(allowed, options).toArray();
    return new Set(texters.map(({ texterId }) => texterId));
  }

  private assigneeOf({ assigneeId, phone }: NewConversation): string | null {
    return this.optedOut.has(phone) && !this.batch.keepsAssignees ? null : assigneeId;
  }

  /** Leaves out the known phone numbers, so that a repeated import writes nothing. */
  private async newDocs(
    conversations: readonly NewConversation[],
    session?: mongo.ClientSession,
  ): Promise<ConversationDoc[]> {
    if (conversations.length === 0) return [];
    const known = await this.knownPhones(conversations, session);
    return conversations.filter(({ phone }) => !known.has(phone) && known.add(phone)).map((each) => this.toDoc(each));
  }

  private async knownPhones(
    conversations: readonly NewConversation[],
    session?: mongo.ClientSession,
  ): Promise<Set<string>> {
    const phones = conversations.map(({ phone }) => phone);
    const filter = { campaignId: this.campaignId, 'contact.phone': { $in: phones } };
    const options = { hint: PHONE_INDEX, batchSize: phones.length + 1, ...(session && { session }) };
    const projection = { _id: 0, 'contact.phone': 1 };
    const found = this.database.conversations.find<StoredPerson>(filter, { ...options, projection });
    return new Set((await found.toArray()).flatMap(phonesIn));
  }

  /** Writes every field, because partial indexes do not treat a missing field as `null` in every case. */
  private toDoc(conversation: NewConversation): ConversationDoc {
    const { name, phone, assignedAt = null, ...fields } = conversation;
    const assigneeId = this.assigneeOf(conversation);
    return {
      _id: new Types.ObjectId(),
      campaignId: this.campaignId,
      ...fields,
      contact: { name, phone },
      optedOut: this.optedOut.has(phone),
      assigneeId,
      assignmentVersion: 0,
      assignedAt: assigneeId === null ? null : (assignedAt ?? this.batch.at),
      lastOperationId: null,
      history: [],
    };
  }
}

function isAllowed(assigneeId: string | null, open: ReadonlySet<string>): boolean {
  return assigneeId === null || open.has(assigneeId);
}
