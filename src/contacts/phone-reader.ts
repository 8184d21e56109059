import type { PhoneReading } from '../domain/phone.ts';

/** Reading a number takes most of the time of a row, and an import reads each row twice. */
const KNOWN_MAX = 100_000;
/** A longer text is no phone number. */
const KNOWN_CHARS_MAX = 40;

/** Returns a function that reads phone numbers of a country and remembers the first ones. */
export async function phoneReader(country: string | null): Promise<(text: string) => PhoneReading> {
  const { readPhone } = await import('../domain/phone.ts');
  const known = new Map<string, PhoneReading>();
  return (text) => {
    const before = known.get(text);
    if (before) return before;
    const reading = readPhone(text, country);
    if (known.size < KNOWN_MAX && text.length <= KNOWN_CHARS_MAX) known.set(copyOf(text), reading);
    return reading;
  };
}

/** A part of a text keeps all of it in memory. A copy does not. */
function copyOf(text: string): string {
  return Buffer.from(text).toString();
}
