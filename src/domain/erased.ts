import { createHash } from 'node:crypto';

/*
 * The conversation of an erased person stays, because receipts count it. In the place of the phone number it has a
 * fingerprint, so that no import brings the person back. About 600 numbers of a country such as the USA share one
 * fingerprint, so the number cannot be found from it. One of 17 million other numbers has the same fingerprint by chance.
 */

const FINGERPRINT_HEX_DIGITS = 6;
const PREFIX = 'erased:';

/** The name of every erased contact. */
export const ERASED_NAME = 'erased';

/** Matches what erased conversations have in the place of a phone number. `;` follows `:`. */
export const ERASED_PHONES = { $gte: PREFIX, $lt: 'erased;' } as const;

/** Returns the fingerprint of a number of E.164. It differs in each campaign. */
export function fingerprintOf(campaignId: string, phone: string): string {
  const hash = createHash('sha256').update(JSON.stringify([campaignId, phone]));
  return hash.digest('hex').slice(0, FINGERPRINT_HEX_DIGITS);
}

/** Returns the text in the place of a phone number. The id keeps two erased conversations of a campaign apart. */
export function erasedPhone(fingerprint: string, conversationId: string): string {
  return `${PREFIX}${fingerprint}:${conversationId}`;
}

export function isErased(phone: string): boolean {
  return phone.startsWith(PREFIX);
}

export function fingerprintIn(erased: string): string {
  return erased.slice(PREFIX.length, PREFIX.length + FINGERPRINT_HEX_DIGITS);
}
