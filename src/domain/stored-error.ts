import { HALT_CODES, Halted, Refusal, REFUSAL_CODES, type PermanentError } from './errors.ts';

/** The fields of a permanent error, as MongoDB and the queue store them. */
export interface StoredError {
  readonly code: string;
  readonly message: string;
  readonly expected: string | null;
  readonly received: string | null;
}

export function toStoredError({ code, message, expected, received }: PermanentError): StoredError {
  return { code, message, expected, received };
}

/** Starts the failure text of a job that ended with a permanent error. BullMQ keeps only a text of an error. */
const PERMANENT_PREFIX = 'permanent ';

/** Writes a permanent error as the failure text of a job. {@link parseFailureText} reads it. */
export function toFailureText({ code, message, expected, received }: StoredError): string {
  return PERMANENT_PREFIX + JSON.stringify({ code, message, expected, received });
}

/** Returns the permanent error in a job's failure text, or `undefined` when the text describes another failure. */
export function parseFailureText(text: string | undefined): PermanentError | undefined {
  if (!text?.startsWith(PERMANENT_PREFIX)) return undefined;
  const { code, message, expected, received } = parseStoredError(text.slice(PERMANENT_PREFIX.length));
  const details = { message: String(message), expected: String(expected ?? ''), received: String(received ?? '') };
  const refusalCode = REFUSAL_CODES.find((known) => known === code);
  if (refusalCode) return new Refusal(refusalCode, details);
  const haltCode = HALT_CODES.find((known) => known === code);
  return haltCode && new Halted(haltCode, details);
}

function parseStoredError(json: string): Partial<StoredError> {
  try {
    const parsed: unknown = JSON.parse(json);
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}

/** A failed attempt at an operation, as it is stored with the operation. */
export interface FailedAttempt {
  readonly at: Date;
  readonly message: string;
}

/** A limit, because an operation that is retried again and again must not grow without end. */
export const FAILED_ATTEMPTS_KEPT_MAX = 20;

const MESSAGE_CHARS_MAX = 300;

/** Database errors quote values. Phone numbers must not be stored. */
const PHONE_NUMBER = /\+\d[\d ()-]{5,}\d/g;

// eslint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;

/** Describes an error in one short line. Of an error that passed through the queue, only the message is left. */
export function failedAttempt(error: Error | string, at: Date): FailedAttempt {
  const text = typeof error === 'string' ? error : `${error.name}: ${error.message}`;
  const line = text.replace(UNPRINTABLE, ' ').replace(PHONE_NUMBER, '[phone]');
  return { at, message: line.length > MESSAGE_CHARS_MAX ? `${line.slice(0, MESSAGE_CHARS_MAX)}…` : line };
}
