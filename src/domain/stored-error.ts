import {
  HALT_CODES,
  Halted,
  JobFailed,
  Refusal,
  REFUSAL_CODES,
  UnknownFailure,
  type ErrorDetails,
  type PermanentError,
} from './errors.ts';
import { errorText, safeMessage, safeText, typeOf } from './safe-text.ts';

/** The error code of an operation whose job used up its attempts. */
export const ATTEMPTS_EXHAUSTED = 'attempts-exhausted';

/** The fields of the error that ended an operation, as MongoDB and the queue store them. */
export interface StoredError {
  readonly code: string;
  readonly message: string;
  readonly expected: string | null;
  readonly received: string | null;
}

export function toStoredError({ code, message, expected, received }: PermanentError): StoredError {
  return { code, message: safeText(message), expected: safeText(expected), received: safeText(received) };
}

/** The start of the failure text of a job whose operation has ended. BullMQ stores only the message of an error. */
const PERMANENT_PREFIX = 'permanent ';

/** Writes the error that ended an operation as the failure text of a job. {@link parseFailureText} reads it. */
export function toFailureText({ code, message, expected, received }: StoredError): string {
  return PERMANENT_PREFIX + JSON.stringify({ code, message, expected, received });
}

/**
 * Returns the error that ended the operation of a failed job. Returns `undefined` when the job failed with a transient
 * error: then the operation has not ended, and the job can be retried.
 */
export function parseFailureText(text: string | undefined): PermanentError | JobFailed | undefined {
  if (!text?.startsWith(PERMANENT_PREFIX)) return undefined;
  const { code, message, expected, received } = parseStoredError(text.slice(PERMANENT_PREFIX.length));
  if (typeof code !== 'string' || code === '') return undefined;
  return errorOf(code, {
    message: String(message),
    expected: String(expected ?? ''),
    received: String(received ?? ''),
  });
}

/** Changes the texts of a failure and leaves its code as it is, so that {@link parseFailureText} still reads it. */
export function changeFailureText(text: string, change: (text: string) => string): string {
  if (!text.startsWith(PERMANENT_PREFIX)) return change(text);
  const stored = Object.entries(parseStoredError(text.slice(PERMANENT_PREFIX.length)));
  if (stored.length === 0) return change(text);
  const fields = stored.map(
    ([name, value]: readonly [string, unknown]) =>
      [name, name !== 'code' && typeof value === 'string' ? change(value) : value] as const,
  );
  return PERMANENT_PREFIX + JSON.stringify(Object.fromEntries(fields));
}

/** Codes are added over time, and workers of several versions run at once. So an unknown code is permanent as well. */
function errorOf(code: string, details: ErrorDetails): PermanentError | JobFailed {
  if (code === ATTEMPTS_EXHAUSTED) return new JobFailed(details.message);
  const refusalCode = REFUSAL_CODES.find((known) => known === code);
  if (refusalCode) return new Refusal(refusalCode, details);
  const haltCode = HALT_CODES.find((known) => known === code);
  return haltCode ? new Halted(haltCode, details) : new UnknownFailure(code, details);
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

// eslint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;

/** Describes an error in one short line. Of an error that passed through the queue, only the message is left. */
export function failedAttempt(error: Error | string, at: Date): FailedAttempt {
  const text = typeof error === 'string' ? safeMessage(new Error(error)) : `${typeOf(error)}: ${errorText(error)}`;
  const line = text.replace(UNPRINTABLE, ' ');
  return { at, message: line.length > MESSAGE_CHARS_MAX ? `${line.slice(0, MESSAGE_CHARS_MAX)}…` : line };
}
