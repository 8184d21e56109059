import { isIPv4 } from 'node:net';
import { isId } from './id-rules.ts';

/*
 * What may be logged, stored with a failed job, or sent to a caller. Values from outside can be a name, a phone number or a
 * password in the wrong place, and errors of the database and of Redis quote them.
 */

const HIDDEN = '…';
const PHONE_HIDDEN = '[phone]';

/** Digits of one phone number, with the punctuation that an import accepts. Digits of a longer word belong to an id. */
const phone = (alternatives: string): RegExp => new RegExp(`(?<![\\w.-])(?:${alternatives})(?![\\w:]|\\.\\d)`, 'g');
const digits = (min: number): string => `\\d(?:[\\s().-]{0,3}\\d){${min - 1},14}`;

/** In an error of another library, 7 digits may be a phone number. */
const PHONE_IN_FOREIGN_TEXT = phone(`(?!\\d{4}-\\d\\d-\\d\\d(?!\\d))\\+?\\(?${digits(7)}`);
/** Baton's own texts contain counts, which have fewer than 10 digits. */
const PHONE_IN_OWN_TEXT = phone(`\\+\\(?${digits(7)}|\\(?${digits(10)}`);

/** What stands before the address of a server: a scheme, a password, or the code of a system error. A phone number can look the same. */
const BEFORE_ADDRESS = /(?:\/\/|@|\bIP: |\bE[A-Z]{3,}(?:: [a-z ]+)? )$/;

function withoutPhones(text: string, phones: RegExp): string {
  return text.replace(phones, (found: string, offset: number) =>
    isIPv4(found) && BEFORE_ADDRESS.test(text.slice(0, offset)) ? found : PHONE_HIDDEN,
  );
}

/** The user and the password of an address. A password that is not encoded may contain any character. */
const CREDENTIALS = /:\/\/\S*@/g;

/** Hides phone numbers and passwords in a text that Baton wrote, with values from outside in it. */
export function safeText(text: string): string {
  return withoutPhones(text.replace(CREDENTIALS, `://${HIDDEN}@`), PHONE_IN_OWN_TEXT);
}

/** From the first quote to the last: a quoted value may contain quotes. Or to the end, when the text is cut off. */
const QUOTES = [/(?<!\w)".*"/gs, /(?<!\w)'.*'(?!\w)/gs, /(?<!\w)"[^"]*$/, /(?<!\w)'[^']*$/];
/** Texts whose quotes contain names of the code or of a Redis command. */
const QUOTES_CODE = [
  /^Cannot (read|set) properties of (undefined|null) \((reading|setting) '[A-Za-z_$][\w$]*'\)$/,
  /^NOPERM [^"']*('[a-z|]+'[^"']*)?$/,
];
/** BullMQ's errors name a job, and a job of another program may have any id. */
const JOB = /\bjob (\S.*?)(?=(?: (?:is|has|could|does|from)\b.*|\. [a-z]\w*)?$)/gs;

/** Hides phone numbers, passwords and every quoted value in the message of an error that another library may have made. */
export function safeMessage(error: Error): string {
  // JSON.parse quotes the text, quotes included, and cuts it off anywhere.
  if (error instanceof SyntaxError) return 'the text cannot be read';
  const message = error.message.replace(CREDENTIALS, `://${HIDDEN}@`);
  if (QUOTES_CODE.some((pattern) => pattern.test(message))) return message;
  const unquoted = QUOTES.reduce((text, quoted) => text.replace(quoted, HIDDEN), message);
  const named = unquoted.replace(JOB, (_, id: string) => `job ${idText(id)}`);
  return withoutPhones(named, PHONE_IN_FOREIGN_TEXT);
}

/** An error as the log contains it. */
export interface LoggedError {
  readonly type: string;
  readonly message: string;
  readonly code?: string | number;
  /** The frames, without the message. */
  readonly stack?: string;
  readonly cause?: LoggedError;
}

const TYPE = /^[A-Za-z]{1,60}$/;
const CODE = /^[A-Za-z0-9_.-]{1,60}$/;
const FRAME = /^\s+at (?:async )?(?:[\w$.<>[\] ]+ \()?(?:file:|node:|\/)\S+:\d+:\d+\)?$/;
const FRAMES_MAX = 10;
const CAUSES_MAX = 3;

/** Describes an error by fields that contain no value. Other fields of an error, such as the arguments of a command, do. */
export function loggedError(error: unknown, causesLeft = CAUSES_MAX): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, message: 'a value that is not an error was thrown' };
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  const frames = framesOf(error).join('\n');
  return {
    type: typeOf(error),
    message: errorText(error),
    ...(isCode(code) && { code }),
    ...(frames !== '' && { stack: frames }),
    ...(cause instanceof Error && causesLeft > 0 && { cause: loggedError(cause, causesLeft - 1) }),
  };
}

/** Returns an error for BullMQ, which stores message and stack in Redis. */
export function storableError(error: unknown): Error {
  const { type, message, stack } = loggedError(error, 0);
  const safe = new Error(message);
  safe.stack = [`${type}: ${message}`, ...(stack === undefined ? [] : [stack])].join('\n');
  return safe;
}

/** Errors of Baton are written for callers; the others quote values. */
const OWN_TYPES: readonly string[] = [
  'Refusal',
  'Halted',
  'UnknownFailure',
  'QueueUnavailable',
  'WaitTimeout',
  'ProducerClosed',
];

/** Returns the message of any error in one safe text. A refused connection is an AggregateError without a message. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return 'a value that is not an error was thrown';
  if (error instanceof AggregateError && error.message === '') return error.errors.map(errorText).join('; ');
  const text = OWN_TYPES.includes(error.name) ? safeText(error.message) : safeMessage(error);
  return text === '' ? typeOf(error) : text;
}

export function typeOf({ name }: Error): string {
  return TYPE.test(name) ? name : 'Error';
}

function isCode(code: unknown): code is string | number {
  return typeof code === 'number' || (typeof code === 'string' && CODE.test(code));
}

function framesOf({ stack = '' }: Error): string[] {
  const lines = stack.split('\n').filter((line) => FRAME.test(line));
  return lines.slice(0, FRAMES_MAX);
}

const LETTERS_OF_A_NAME = /^\p{Lu}\p{Ll}+(?:[._-]\p{Lu}\p{Ll}+)*$/u;
const NOT_OF_A_PHONE = /[^\d().:_|-]/;
const PHONE_DIGITS_MIN = 7;
const PHONE_DIGITS_MAX = 15;
/**
 * A part of an id that may be a phone number, such as the digits of `tel-2025550199`. No number has 13 digits and starts
 * with 1, but times in milliseconds do.
 */
const PHONE_IN_ID =
  /(?<![A-Za-z0-9])(?:(?!1\d{12}(?!\d))\d{7,15}|(?:\d{1,3}[.-])?\d{3}[.-]\d{3}[.-]\d{4}|\d{3}[.-]\d{4})(?![A-Za-z0-9])/g;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const TIME_MS = /^1\d{12}$/;

/** Returns true for a value that is written like an id, and neither like a phone number nor like a name. */
export function looksLikeId(value: unknown): value is string {
  if (typeof value !== 'string' || !isId(value) || LETTERS_OF_A_NAME.test(value)) return false;
  if (NOT_OF_A_PHONE.test(value)) return true;
  const count = value.replace(/\D/g, '').length;
  return TIME_MS.test(value) || count < PHONE_DIGITS_MIN || count > PHONE_DIGITS_MAX;
}

/**
 * Formats a value in the place of an id for an error message. It is quoted if it looks like an id, and else described. The
 * quoted id has no part that may be a phone number.
 */
export function shownId(value: unknown): string {
  return looksLikeId(value) ? JSON.stringify(withoutPhone(value)) : description(value);
}

/** The same without quotes, for the middle of a sentence. */
export function idText(value: unknown): string {
  return looksLikeId(value) ? withoutPhone(value) : `(${description(value)})`;
}

function withoutPhone(id: string): string {
  return UUID.test(id) ? id : id.replace(PHONE_IN_ID, HIDDEN);
}

/** A job is called after its operation: `op-` and the encoded operation id. */
const JOB_ID_PREFIX = 'op-';

/** Formats the id of a job, which any program may have chosen. */
export function jobIdText(jobId: unknown): string {
  if (typeof jobId !== 'string' || !jobId.startsWith(JOB_ID_PREFIX)) return idText(jobId);
  const id = withoutEncoding(jobId.slice(JOB_ID_PREFIX.length));
  if (!looksLikeId(id)) return idText(undefined);
  return withoutPhone(id) === id ? jobId : JOB_ID_PREFIX + withoutPhone(id);
}

function withoutEncoding(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

/** How many digits of a number can be a phone number. */
const PHONE_NUMBER = /^\d{7,15}$/;

function description(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
      return 'nothing';
    case 'string':
      return value === '' ? 'an empty text' : `a text of ${value.length} characters`;
    case 'number':
      return PHONE_NUMBER.test(String(Math.abs(value))) ? 'a large number' : String(value);
    case 'boolean':
      return String(value);
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? listDescription(value.length) : 'an object';
    case 'bigint':
    case 'symbol':
    case 'function':
      return `a ${typeof value}`;
  }
}

function listDescription(length: number): string {
  return length === 0 ? 'an empty list' : `a list with ${length} item${length === 1 ? '' : 's'}`;
}
