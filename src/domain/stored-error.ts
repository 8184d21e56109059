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
