import { mongo } from 'mongoose';

/** How long a write waits for the majority of the members. Without a limit it would wait for ever while they are away. */
const WRITE_TIMEOUT_MS = 10_000;

/** A failover must not take back a write that was reported as done. */
export const MAJORITY = { w: 'majority', wtimeoutMS: WRITE_TIMEOUT_MS } as const;

const WRITE_CONCERN_TIMEOUT = 64;
/** The codes of the specification of retryable writes: no primary, an election, a shutdown, or a lost connection. */
const NO_PRIMARY: readonly unknown[] = [6, 7, 89, 91, 189, 9_001, 10_107, 11_600, 11_602, 13_435, 13_436];

/**
 * Returns true for an error that means that no primary or no majority could be reached. It passes when the members are
 * back. Every step can be repeated, also when the write took effect.
 */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof mongo.MongoServerSelectionError || error instanceof mongo.MongoNetworkError) return true;
  const { code } = error as { readonly code?: unknown };
  const isAway = code === WRITE_CONCERN_TIMEOUT || NO_PRIMARY.includes(code);
  return (error instanceof mongo.MongoServerError && isAway) || isDatabaseAway(error.cause);
}
