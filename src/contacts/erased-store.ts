import { Types, type mongo } from 'mongoose';
import type { KnownContact } from './contact.ts';
import type { PersonText } from './person-text.ts';
import { phonesIn, type StoredPerson } from './stored.ts';
import { ERASED_NAME, ERASED_PHONES, erasedPhone, fingerprintIn, fingerprintOf, isErased } from '../domain/erased.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import type { OperationDoc } from '../mongo/documents.ts';
import { NEWEST_INDEX, PHONE_INDEX } from '../mongo/indexes.ts';

/** Returns the fingerprints of the erased people of a campaign. */
async function erasedFingerprints(database: Database, campaignId: string): Promise<ReadonlySet<string>> {
  const filter = { campaignId, 'contact.phone': ERASED_PHONES };
  const options = { projection: { _id: 0, 'contact.phone': 1 }, hint: PHONE_INDEX, ...IN_ONE_BATCH };
  const docs = await database.conversations.find<StoredPerson>(filter, options).toArray();
  return new Set(docs.flatMap(phonesIn).filter(isErased).map(fingerprintIn));
}

/** Returns those of the items whose phone number was erased from the campaign. */
export async function ofErased<Of extends { readonly phone: string }>(
  database: Database,
  campaignId: string,
  items: readonly Of[],
): Promise<Of[]> {
  const fingerprints = await erasedFingerprints(database, campaignId);
  return fingerprints.size === 0 ? [] : items.filter(({ phone }) => fingerprints.has(fingerprintOf(campaignId, phone)));
}

/** Writes fingerprints in the place of phone numbers. Throws when another program has changed a number meanwhile. */
export async function eraseContacts(
  database: Database,
  campaignId: string,
  contacts: readonly KnownContact[],
  canonical: (phone: string) => string,
): Promise<void> {
  for (const { conversationId, phone } of contacts) {
    const erased = erasedPhone(fingerprintOf(campaignId, canonical(phone)), conversationId);
    const filter = {
      _id: new Types.ObjectId(conversationId),
      campaignId,
      ...(phone !== '' && { 'contact.phone': phone }),
    };
    const $set = { contact: { name: ERASED_NAME, phone: erased }, externalId: null };
    const { matchedCount } = await database.conversations.updateOne(filter, { $set });
    if (matchedCount === 0)
      throw new Error(`the contact of conversation ${conversationId} changed while it was erased`);
  }
}

type WithTexts = Pick<OperationDoc, '_id' | 'request' | 'cancellation' | 'failures' | 'error'>;
/** The fields of an operation with texts that people or errors wrote. */
const TEXT_FIELDS = ['request.reason', 'cancellation.reason', 'failures', 'error'] as const;
const PAGE_SIZE = 1_000;

/** Removes a person from the reasons and the errors of a campaign's operations. Reads all of them. */
export async function eraseFromOperations(database: Database, campaignId: string, person: PersonText): Promise<void> {
  const projection = Object.fromEntries(TEXT_FIELDS.map((field) => [field, 1]));
  const options = { projection, hint: NEWEST_INDEX, batchSize: PAGE_SIZE };
  const found = database.operations.find({ campaignId }, options) as unknown as mongo.FindCursor<WithTexts>;
  for await (const doc of found) {
    const $set = changedTexts(doc, person);
    if (Object.keys($set).length > 0) await database.operations.updateOne({ _id: doc._id }, { $set });
  }
}

function changedTexts({ request, cancellation, failures, error }: WithTexts, person: PersonText): mongo.Document {
  const without = <Text>(text: Text): Text => (typeof text === 'string' ? (person.without(text) as Text) : text);
  const stored = {
    'request.reason': (request as { readonly reason?: unknown }).reason,
    'cancellation.reason': cancellation?.reason,
    failures,
    error,
  };
  const erased = {
    'request.reason': without(stored['request.reason']),
    'cancellation.reason': without(stored['cancellation.reason']),
    failures: failures?.map((each) => ({ ...each, message: without(each.message) })),
    error: error && {
      ...error,
      message: without(error.message),
      expected: without(error.expected),
      received: without(error.received),
    },
  };
  const fields = TEXT_FIELDS.filter((field) => JSON.stringify(stored[field]) !== JSON.stringify(erased[field]));
  return Object.fromEntries(fields.map((field) => [field, erased[field]]));
}
