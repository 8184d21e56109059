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
