import { setTimeout as delay } from 'node:timers/promises';
import { mongo } from 'mongoose';
import { WriteConflict } from '../domain/errors.ts';
import { MAJORITY } from './connect.ts';
import { hasCode, isDatabaseAway, isLostConnection } from './server-errors.ts';

/**
 * On a busy server one attempt can take longer than the time for all of them, and meet writes that the next one does not meet. A
 * round of claims, for example, then takes other conversations.
 */
const ATTEMPTS_MIN = 4;

/** Long enough for an update of a whole campaign by another program, and shorter than people wait for an answer. */
const REPEAT_FOR_MS = 20_000;

/** Shorter than a failover: the caller repeats the whole step, and says in the log that no primary answers. */
const COMMIT_REPEATED_FOR_MS = 5_000;

const PAUSE_MS_MIN = 5;
const PAUSE_MS_MAX = 250;
const PAUSE_GROWTH = 1.5;

export interface TransactionOptions {
  /** How long a transaction is repeated while it meets other writers; 0 for a single attempt. */
  readonly repeatForMs?: number;
  /** Called after each attempt that met another writer. */
  readonly onConflict?: () => void;
}

/** Repeats an attempt while it throws `WriteConflict`, with growing pauses, and once after a lost connection. */
export async function repeated<Result>(
  attempt: () => Promise<Result>,
  { repeatForMs = REPEAT_FOR_MS, onConflict }: TransactionOptions,
): Promise<Result> {
  const endsAt = performance.now() + repeatForMs;
  let lostConnection = false;
  for (let conflicts = 1; ; conflicts += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (repeatForMs > 0 && !lostConnection && isLostConnection(error)) {
        lostConnection = true;
        continue;
      }
      if (!(error instanceof WriteConflict)) throw error;
      onConflict?.();
      const hasAttemptsLeft = repeatForMs > 0 && conflicts < ATTEMPTS_MIN;
      if (!hasAttemptsLeft && performance.now() >= endsAt) throw error;
      await delay(pauseMs(conflicts));
    }
  }
}

/**
 * Returns the pause before a transaction is repeated. It grows with the number of conflicts in a row, because the other
 * transaction may be long, and it is random, so that two transactions do not meet again and again.
 */
export function pauseMs(conflicts: number): number {
  return Math.random() * Math.min(PAUSE_MS_MIN * PAUSE_GROWTH ** conflicts, PAUSE_MS_MAX);
}

/**
 * Runs a transaction once, and throws `WriteConflict` after a transient error. The driver's `withTransaction` would repeat
 * it for two minutes. Only a commit with an unknown result is repeated, until `COMMIT_REPEATED_FOR_MS` have passed.
 */
export async function transactionOnce<Result>(
  session: mongo.ClientSession,
  work: (session: mongo.ClientSession) => Promise<Result>,
): Promise<Result> {
  session.startTransaction({ readConcern: { level: 'snapshot' }, writeConcern: MAJORITY });
  try {
    const result = await work(session);
    await commit(session);
    return result;
  } catch (error) {
    if (session.inTransaction()) await session.abortTransaction().catch(() => undefined);
    // A lost connection says nothing about other writers.
    throw isTransient(error) && !isDatabaseAway(error) ? asConflict(error) : error;
  }
}

async function commit(session: mongo.ClientSession): Promise<void> {
  const endsAt = performance.now() + COMMIT_REPEATED_FOR_MS;
  for (;;) {
    try {
      return await session.commitTransaction();
    } catch (error) {
      const isUnknown = error instanceof mongo.MongoError && error.hasErrorLabel('UnknownTransactionCommitResult');
      if (!isUnknown || performance.now() >= endsAt) throw error;
      await delay(pauseMs(1));
    }
  }
}

/** Another process ends the sessions of a process that seems to be dead. MongoDB gives this error no label. */
const INTERRUPTED = 11_601;

function isTransient(error: unknown): error is mongo.MongoError {
  if (!(error instanceof mongo.MongoError)) return false;
  return error.hasErrorLabel('TransientTransactionError') || error.code === INTERRUPTED;
}

function asConflict(error: mongo.MongoError): WriteConflict {
  return new WriteConflict(`a transaction was rolled back by a transient error: ${error.message}`, { cause: error });
}

const SNAPSHOT_UNAVAILABLE = 246;
const SNAPSHOT_TOO_OLD = 239;
const READS_MAX = 5;

/** Runs a read with the read concern `snapshot`. Runs it again when the server no longer has the moment that it chose. */
export async function atAnyMoment<Result>(read: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await read();
    } catch (error) {
      const isGone = hasCode(error, SNAPSHOT_TOO_OLD) || hasCode(error, SNAPSHOT_UNAVAILABLE);
      if (!isGone || attempt >= READS_MAX) throw error;
    }
  }
}

/** Where a transaction met the write of another program or worker and had to be repeated. */
export type ConflictKind = 'batch' | 'claim' | 'move';

const counts: Record<ConflictKind, number> = { batch: 0, claim: 0, move: 0 };

/** Counts one conflict of this process. Call it once for each transaction that is repeated. */
export function countConflict(kind: ConflictKind): void {
  counts[kind] += 1;
}

/** Returns the conflicts of this process since its start. */
export function conflictCounts(): Readonly<Record<ConflictKind, number>> {
  return { ...counts };
}
