import { randomBytes } from 'node:crypto';
import type { z } from 'zod';
import { STATUSES, type Position } from '../domain/conversation.ts';
import { shown } from '../domain/visible-text.ts';
import { didYouMean } from './did-you-mean.ts';
import { misused } from './errors.ts';

/** Reads a typed value. Throws a `bad-request` refusal that names the option. Commander calls it for each value. */
export type ValueReader<Value> = (typed: string) => Value;

const WHOLE_NUMBER = /^[+-]?\d+$/;
const NUMBER = /^\d+(\.\d+)?$/;
const WAIT_S_MAX = 86_400;
const ID_BYTES = 10;

export function wholeNumber(option: string, min: number, max: number): ValueReader<number> {
  return numberIn(option, WHOLE_NUMBER, `a whole number from ${min} to ${max}`, [min, max]);
}

export function seconds(option: string): ValueReader<number> {
  return numberIn(option, NUMBER, `a number of seconds from 1 to ${WAIT_S_MAX}`, [1, WAIT_S_MAX]);
}

/** Keeps `none` as the word, because commander replaces a `null` that a reader returns. */
export function wholeNumberOrNone(option: string, min: number, max: number): ValueReader<number | 'none'> {
  const expected = `a whole number from ${min} to ${max}, or "none"`;
  const read = numberIn(option, WHOLE_NUMBER, expected, [min, max]);
  return (typed) => (typed === 'none' ? typed : read(typed));
}

function numberIn(
  option: string,
  pattern: RegExp,
  expected: string,
  [min, max]: readonly [number, number],
): ValueReader<number> {
  return (typed) => {
    const value = pattern.test(typed) ? Number(typed) : NaN;
    if (value >= min && value <= max) return value;
    throw misused(`${option} must be ${expected}`, { expected, received: shown(typed) });
  };
}

/** Reads a status as people write it: "Needs Reply" is needs-reply. */
export function statusIn<Word extends string>(words: readonly Word[]): ValueReader<Word> {
  return (typed) => {
    const written = typed
      .trim()
      .toLowerCase()
      .replace(/[\s_-]+/g, '-');
    const word = words.find((known) => known === written);
    if (word !== undefined) return word;
    const expected = words.join(', ');
    const message = `--status must be one of ${expected}${didYouMean(written, words)}`;
    throw misused(message, { expected, received: shown(typed) });
  };
}

/** Reads an id that the schema of its kind accepts. */
export function id(option: string, schema: z.ZodType<string>): ValueReader<string> {
  const expected = 'an id of at most 64 letters, digits, "-", "_", ".", ":" and "|", with a letter or a digit';
  return (typed) => {
    if (schema.safeParse(typed).success) return typed;
    throw misused(`${option} must be ${expected}`, { expected, received: shown(typed) });
  };
}

/** Makes an id for a new campaign, texter or operation. The prefix shows the kind. */
export function newId(prefix: 'c' | 't' | 'op'): string {
  return `${prefix}_${randomBytes(ID_BYTES).toString('hex')}`;
}

/** Formats the end of a page, so that `--after` can continue from there. */
export function formatCursor({ status, waitingSince, id: conversationId }: Position): string {
  return [status, waitingSince, conversationId].join('_');
}

const CURSOR = /^([a-z-]+)_(-?\d{1,16})_([0-9a-f]{24})$/;

/** Reads what {@link formatCursor} wrote. */
export function cursor(typed: string): Position {
  const [, word, waitingSince, conversationId = ''] = CURSOR.exec(typed) ?? [];
  const status = STATUSES.find((known) => known === word);
  if (status) return { status, waitingSince: Number(waitingSince), id: conversationId };
  const expected = 'the cursor that the previous page ended with';
  throw misused(`--after must be ${expected}`, { expected, received: shown(typed) });
}
