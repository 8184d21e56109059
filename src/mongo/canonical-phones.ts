import { Types, type mongo } from 'mongoose';
import { isErased } from '../domain/erased.ts';
import { IN_ONE_BATCH, stream, type Database } from './database.ts';
import { duplicatesIn } from './server-errors.ts';
import type { CampaignDoc, ConversationDoc } from './documents.ts';
import { BY_ID, PHONE_INDEX } from './indexes.ts';

const PAGE_SIZE = 1_000;
/** The number of shared phone numbers that a report lists. It counts the others. */
export const SHARED_LISTED_MAX = 1_000;

export interface PhoneReport {
  /** The number of conversations whose phone number was rewritten. */
  readonly rewritten: number;
  /** The number of conversations whose phone number cannot be read. They stay as they are. */
  readonly unreadable: number;
  /** The number of conversations that were opted out, because another conversation of the same number was. */
  readonly optedOut: number;
  /** The number of phone numbers that several conversations have. */
  readonly sharedCount: number;
  /** The ids of the conversations of each shared number, for the first {@link SHARED_LISTED_MAX} numbers. */
  readonly shared: readonly (readonly string[])[];
}

type PhoneDoc = Pick<ConversationDoc, '_id' | 'contact' | 'optedOut'>;
/** Another program may have written a conversation without a phone number. */
type FoundDoc = Pick<PhoneDoc, '_id' | 'optedOut'> & { readonly contact?: Partial<PhoneDoc['contact']> | null };
type Canonical = (stored: string) => string | undefined;

/**
 * Writes the phone numbers of a campaign in the form of E.164 and reports the numbers that several conversations have.
 * Merges nothing: of the conversations of one number, one gets the new form and the others stay as they are. If one of
 * them has opted out, all of them have. Safe to repeat; an opt-out is the only other change.
 */
export async function writeCanonicalPhones(
  database: Database,
  campaignId: string,
  country: string | null,
): Promise<PhoneReport> {
  const { canonicalPhone } = await import('../domain/phone.ts');
  const rewrite = new Rewrite(database, campaignId, (stored) => canonicalPhone(stored, country));
  const fields = { _id: 1, 'contact.phone': 1, optedOut: 1 } as const;
  const found = database.models.conversations.find({ campaignId }, fields).sort({ campaignId: 1, 'contact.phone': 1 });
  const page: PhoneDoc[] = [];
  for await (const { contact, ...doc } of stream<FoundDoc>(found.hint(PHONE_INDEX), PAGE_SIZE)) {
    const { phone, name = '' } = contact ?? {};
    if (typeof phone !== 'string') continue;
    page.push({ ...doc, contact: { phone, name } });
    if (page.length === PAGE_SIZE) await rewrite.writePage(page.splice(0));
  }
  await rewrite.writePage(page);
  return rewrite.report;
}

class Rewrite {
  private readonly database: Database;
  private readonly campaignId: string;
  private readonly canonical: Canonical;
  private readonly shared = new Map<string, Set<string>>();
  private sharedUnlisted = 0;
  private readonly counts = { rewritten: 0, unreadable: 0, optedOut: 0 };

  constructor(database: Database, campaignId: string, canonical: Canonical) {
    this.database = database;
    this.campaignId = campaignId;
    this.canonical = canonical;
  }

  get report(): PhoneReport {
    const shared = [...this.shared.values()].map((ids) => [...ids]);
    return { ...this.counts, sharedCount: shared.length + this.sharedUnlisted, shared };
  }

  async writePage(docs: readonly PhoneDoc[]): Promise<void> {
    const byPhone = new Map<string, PhoneDoc[]>();
    for (const doc of docs) {
      if (isErased(doc.contact.phone)) continue;
      const phone = this.canonical(doc.contact.phone);
      if (phone === undefined) this.counts.unreadable += 1;
      else if (phone !== doc.contact.phone) byPhone.set(phone, [...(byPhone.get(phone) ?? []), doc]);
    }
    if (byPhone.size === 0) return;
    const taken = await this.read([...byPhone.keys()]);
    const free = [...byPhone].filter(([phone]) => !taken.has(phone));
    await this.rewrite(free.flatMap(([phone, [first]]) => (first ? [[phone, first] as const] : [])));
    for (const [phone, spelled] of byPhone) {
      const same = [...(taken.get(phone) ?? []), ...spelled];
      if (same.length > 1) await this.noteShared(phone, same);
    }
  }

  private async read(phones: readonly string[]): Promise<Map<string, PhoneDoc[]>> {
    const filter = { campaignId: this.campaignId, 'contact.phone': { $in: [...phones] } };
    const fields = { _id: 1, 'contact.phone': 1, optedOut: 1 } as const;
    const options = { batchSize: phones.length + 1 };
    const docs = await this.database.models.conversations.find(filter, fields, options).lean<PhoneDoc[]>();
    return new Map(docs.map((doc) => [doc.contact.phone, [doc]]));
  }

  /** Each write expects the number that was read, so that a change in between is kept. */
  private async rewrite(changes: readonly (readonly [string, PhoneDoc])[]): Promise<void> {
    if (changes.length === 0) return;
    const writes = changes.map(([phone, { _id, contact }]) => ({
      updateOne: {
        filter: { _id, campaignId: this.campaignId, 'contact.phone': contact.phone },
        update: { $set: { 'contact.phone': phone } },
        hint: BY_ID,
      },
    }));
    try {
      const { modifiedCount } = await this.database.conversations.bulkWrite(writes, { ordered: false });
      this.counts.rewritten += modifiedCount;
    } catch (error) {
      // An import has just brought such a number. The next run reports it as shared.
      duplicatesIn(error);
      this.counts.rewritten += (error as mongo.MongoBulkWriteError).modifiedCount;
    }
  }

  private async noteShared(phone: string, docs: readonly PhoneDoc[]): Promise<void> {
    const known = this.shared.get(phone) ?? new Set();
    for (const { _id } of docs) known.add(_id.toHexString());
    if (this.shared.has(phone) || this.shared.size < SHARED_LISTED_MAX) this.shared.set(phone, known);
    else this.sharedUnlisted += 1;
    if (docs.some(({ optedOut }) => optedOut)) await this.optOut([...known]);
  }

  private async optOut(ids: readonly string[]): Promise<void> {
    const filter = { _id: { $in: ids.map((id) => new Types.ObjectId(id)) }, campaignId: this.campaignId };
    const update = { $set: { optedOut: true } };
    const { modifiedCount } = await this.database.conversations.updateMany({ ...filter, optedOut: false }, update, {
      hint: BY_ID,
    });
    this.counts.optedOut += modifiedCount;
  }
}

/** No campaign has a country yet, so national numbers stay as they are until `baton phones` runs. */
export async function writeAllPhones(database: Database, log: (line: string) => void): Promise<void> {
  await database.campaigns.updateMany({ country: { $exists: false } }, { $set: { country: null } });
  const found = database.models.campaigns.find({}, { country: 1 }, IN_ONE_BATCH);
  for (const { _id: campaignId, country } of await found.lean<Pick<CampaignDoc, '_id' | 'country'>[]>()) {
    const { rewritten, unreadable, sharedCount } = await writeCanonicalPhones(database, campaignId, country);
    if (rewritten + unreadable + sharedCount === 0) continue;
    log(
      `campaign ${campaignId}: ${rewritten} phone numbers rewritten, ${unreadable} cannot be read, ${sharedCount} are ` +
        `shared by several conversations; see \`baton phones ${campaignId}\``,
    );
  }
}
