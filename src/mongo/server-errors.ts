import { mongo } from 'mongoose';

export const UNAUTHORIZED = 13;
const DUPLICATE_KEY = 11_000;

/** Returns true for an error of the server with this code. */
export function hasCode(error: unknown, code: number): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}

/** Returns true if a unique index refused a write. */
export function isDuplicateKey(error: unknown): boolean {
  return hasCode(error, DUPLICATE_KEY);
}

/** Returns the indexes of the writes of an unordered bulk that were refused as duplicates. Rethrows any other error. */
export function duplicatesIn(error: unknown): ReadonlySet<number> {
  if (!isDuplicateKey(error)) throw error;
  const { writeErrors } = error as mongo.MongoBulkWriteError;
  const errors: readonly mongo.WriteError[] = Array.isArray(writeErrors) ? writeErrors : [writeErrors];
  if (!errors.every(isDuplicateKey)) throw error;
  return new Set(errors.map(({ index }) => index));
}

const WRITE_CONCERN_TIMEOUT = 64;
/** The codes of the specification of retryable writes: no primary, an election, a shutdown, or a lost connection. */
const NO_PRIMARY: readonly unknown[] = [6, 7, 89, 91, 189, 9_001, 10_107, 11_600, 11_602, 13_435, 13_436];

/**
 * Returns true for an error that means that no primary or no majority could be reached. It passes when the members are
 * back. Every step can be repeated, also when the write took effect.
 */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof mongo.MongoServerSelectionError || isLostConnection(error)) return true;
  const { code } = error as { readonly code?: unknown };
  const isAway = code === WRITE_CONCERN_TIMEOUT || NO_PRIMARY.includes(code);
  return (error instanceof mongo.MongoServerError && isAway) || isDatabaseAway(causeOf(error));
}

/** Returns true if the connection broke while a command was under way. */
export function isLostConnection(error: unknown): boolean {
  return error instanceof mongo.MongoNetworkError || (error instanceof Error && isLostConnection(bulkCauseOf(error)));
}

function causeOf(error: Error): unknown {
  return error.cause ?? bulkCauseOf(error);
}

/** The driver throws any error of a bulk write as an error of the server, and keeps the real one in this field. */
function bulkCauseOf(error: Error): unknown {
  return error instanceof mongo.MongoBulkWriteError ? error.errorResponse : undefined;
}
