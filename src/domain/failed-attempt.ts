/** An attempt at an operation that failed, as the ledger keeps it. */
export interface FailedAttempt {
  readonly at: Date;
  readonly message: string;
}

/** The last of them say what there is to know; a job that is retried time and again must not grow its operation. */
export const FAILED_ATTEMPTS_KEPT_MAX = 20;

const MESSAGE_CHARS_MAX = 300;

/** A database quotes the values it stumbled over: no phone number of anybody's may be among them. */
const PHONE_NUMBER = /\+\d[\d ()-]{5,}\d/g;

// eslint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;

/** What went wrong, in one short line. An error that has passed through the queue is but its message. */
export function failedAttempt(error: Error | string, at: Date): FailedAttempt {
  const told = typeof error === 'string' ? error : `${error.name}: ${error.message}`;
  const line = told.replace(UNPRINTABLE, ' ').replace(PHONE_NUMBER, '[phone]');
  return { at, message: line.length > MESSAGE_CHARS_MAX ? `${line.slice(0, MESSAGE_CHARS_MAX)}…` : line };
}
