import { randomBytes } from 'node:crypto';

const RANDOM_BYTES = 16;
const LETTERS = 'abcdefghjkmnpqrstuvwxyz123456789';

/** An opaque id that says what it is of. 32 letters: each byte gives five even bits. */
export function newId(prefix: 'c' | 't' | 'op'): string {
  const random = [...randomBytes(RANDOM_BYTES)].map((byte) => LETTERS[byte % LETTERS.length]);
  return `${prefix}_${random.join('')}`;
}
