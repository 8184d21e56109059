import { isoMoment } from './moments.ts';
import { STATUSES, type Status } from '../domain/conversation.ts';
import { readName } from '../domain/visible-text.ts';
import type { PhoneReading } from '../domain/phone.ts';

/** Says in a sentence why a row is rejected. The sentence never repeats a cell, which could be a name or a phone number. */
export class BadRow extends Error {
  override readonly name = 'BadRow';
  /** The field that is wrong; `null` when the row as a whole is. */
  readonly field: string | null;
  /** The phone number of the row if the row says that the person has opted out: this holds although the row is bad. */
  optOut: string | undefined;

  constructor(message: string, field: string | null = null) {
    super(message);
    this.field = field;
  }
}

/** A decoder writes this character in the place of bytes that are no text. */
const REPLACEMENT_CHARACTER = '\ufffd';

/** Reads a text that a person or another system has written. Throws {@link BadRow}. */
export function readText(text: string, field: string, charsMax: number): string {
  const what = field.replaceAll('_', ' ');
  if (text.includes(REPLACEMENT_CHARACTER)) throw new BadRow(`the ${what} has bytes that are no text`, field);
  const reading = readName(text);
  if ('broken' in reading) throw new BadRow(`the ${what} ${reading.broken}`, field);
  if (reading.name.length > charsMax) {
    throw new BadRow(`the ${what} must have at most ${charsMax} characters`, field);
  }
  return reading.name;
}

/** A spreadsheet has rounded such a number, so that two ids can have become one. */
const ROUNDED = /^\d(?:[.,]\d+)?e\+?\d+$/i;

export function isRounded(id: string): boolean {
  return ROUNDED.test(id);
}

/** Other words for statuses. Those of Spoke are the last four. */
const STATUS_WORDS: ReadonlyMap<string, Status> = new Map<string, Status>([
  ['', 'not-started'],
  ...STATUSES.map((status) => [status.replaceAll('-', ''), status] as const),
  ['needsmessage', 'not-started'],
  ['needsresponse', 'needs-reply'],
  ['convo', 'in-progress'],
  ['messaged', 'awaiting-contact'],
]);

const BETWEEN_WORDS = /[\s_-]+/g;

export function readStatus(text: string): Status {
  const status = STATUS_WORDS.get(text.toLowerCase().replace(BETWEEN_WORDS, ''));
  if (status) return status;
  throw new BadRow(
    `the status must be ${STATUSES.join(', ')}, or empty for not-started; a column about something else can be ignored`,
    'status',
  );
}

/** Returns `undefined` for an empty cell. */
export function readMoment(text: string, field: string): Date | undefined {
  if (text === '') return undefined;
  const moment = isoMoment(text);
  if (moment) return moment;
  throw new BadRow(`${field} must be an ISO 8601 date such as 2020-09-01 or 2020-09-01T10:00:00Z`, field);
}

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
