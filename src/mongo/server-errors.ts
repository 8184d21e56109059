import type { mongo } from 'mongoose';

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
