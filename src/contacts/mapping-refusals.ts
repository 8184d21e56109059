import type { Field } from './fields.ts';
import { Refusal } from '../domain/errors.ts';
import { shown } from '../domain/visible-text.ts';

/*
 * Refusals of files. They name a column by its number. They repeat a header only where it is known to be one: the first line
 * of a file without headers is a person's name and number.
 */

const NEEDED = 'a column for the name and one for the phone number';

export function ambiguousColumns(field: Field, columns: readonly number[], headers: readonly string[]): Refusal {
  const listed = listOf(columns, headers);
  return badFile(
    `${listed} could all be the field ${field}; choose one with --map ${field}=${(columns[0] ?? 0) + 1}`,
    `one column for ${field}`,
    listed,
  );
}

/** A program must not decide for a person who has asked for no messages. */
export function noConsentColumn(columns: readonly number[], headers: readonly string[]): Refusal {
  const listed = listOf(columns, headers);
  const first = shown((headers[columns[0] ?? 0] ?? '').trim());
  return new Refusal('consent-undecided', {
    message:
      `${listed} may say who wants no messages. Say what the column means: --map opted_out=${first} if a yes is an opt-out, ` +
      `--map opted_in=${first} if a no is one, or --ignore ${first} if it is not about these messages`,
    expected: 'each column about consent mapped or ignored',
    received: listed,
  });
}

export function noSuchColumn(typed: string, option: string, count: number): Refusal {
  return badFile(
    `${option} names the column ${shown(typed)}, but the file has no such header, and ${count} columns`,
    `a header of the file, or a number from 1 to ${count}`,
    shown(typed),
  );
}

const PHONE_WORDS = ['phone', 'phones', 'telephone', 'tel', 'cell', 'mobile'];
const WORDS_BESIDE = [
  'number',
  'no',
  'home',
  'work',
  'business',
  'main',
  'other',
  'primary',
  'secondary',
  'best',
  '1',
  '2',
  '3',
];

/** True for a header like "Phone 2", which names a phone number and nobody. */
function isLikePhone(header: string): boolean {
  const words = header
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');
  return (
    words.some((word) => PHONE_WORDS.includes(word)) &&
    words.every((word) => [...PHONE_WORDS, ...WORDS_BESIDE].includes(word))
  );
}

/** Lists the columns that a person may have meant. */
export function noHeader(missing: readonly ('name' | 'phone')[], headers: readonly string[]): Refusal {
  const count = headers.length;
  const phones = headers.flatMap((header, column) => (isLikePhone(header) ? [column] : []));
  const perhaps = missing.includes('phone') && phones.length > 0 ? `. It may be ${listOf(phones, headers, 'or')}` : '';
  const needed = missing.map((field) => (field === 'name' ? 'the name' : 'the phone number')).join(' or ');
  return badFile(
    `no column is known as ${needed}. Headers such as name, first name, phone and cell are known; name another column with ` +
      missing.map((field) => `--map ${field}=COLUMN`).join(' ') +
      perhaps,
    NEEDED,
    `a first line with ${count} columns, none of them for ${needed}`,
  );
}

export function dataAsHeader(): Refusal {
  return badFile(
    'the first line is data of a contact and not a header line; add a line with the names of the columns, such as name,phone',
    'a header line',
    'a line with data',
  );
}

export function emptyFile(received: string): Refusal {
  return badFile(`the file has ${received}`, 'a header line and rows of contacts', received);
}

export function badFile(message: string, expected: string, received: string): Refusal {
  return new Refusal('bad-request', { message, expected, received });
}

function listOf(columns: readonly number[], headers: readonly string[], word = 'and'): string {
  const named = columns.map((column) => `column ${column + 1} (${shown((headers[column] ?? '').trim())})`);
  return named.length > 1 ? `${named.slice(0, -1).join(', ')} ${word} ${named.at(-1) ?? ''}` : (named[0] ?? '');
}
