import type { ConversationDoc } from '../mongo/documents.ts';
import { storedFields, storedText } from '../mongo/stored-values.ts';
import type { KnownContact } from './contact.ts';

/** The fields about a person of a conversation that another program may have written: see docs/other-programs.md. */
export interface StoredPerson {
  readonly contact?: unknown;
  readonly externalId?: unknown;
}

/** Returns the contact of a conversation. A name or phone number that is missing, or of another type, is an empty text. */
export function toKnownContact({ _id, contact }: Pick<ConversationDoc, '_id'> & StoredPerson): KnownContact {
  const { name, phone } = storedFields(contact);
  return { conversationId: _id.toHexString(), name: storedText(name) ?? '', phone: storedText(phone) ?? '' };
}

/** Returns the phone numbers by which a query finds a conversation: several if a program stored a list. */
export function phonesIn({ contact }: StoredPerson): string[] {
  const phones = listOf(contact).flatMap((each) => listOf(storedFields(each)['phone']));
  return phones.filter((phone) => typeof phone === 'string');
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}
