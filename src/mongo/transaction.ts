import { setTimeout as delay } from 'node:timers/promises';
import { mongo } from 'mongoose';
import { pauseMs } from '../domain/backoff.ts';
import { WriteConflict } from '../domain/errors.ts';

/** Long enough for an update of a whole campaign by another program, and shorter than people wait for an answer. */
const REPEAT_FOR_MS = 20_000;

export interface TransactionOptions {
  /** How long a transaction is repeated while it meets other writers; 0 for a single attempt. */
  readonly repeatForMs?: number;
  /** Called after each attempt that met another writer. */
  readonly onConflict?: () => void;
}

/** Repeats an attempt while it throws `WriteConflict`, with growing pauses. */
export async function repeated<Result>(
  attempt: () => Promise<Result>,
  { repeatForMs = REPEAT_FOR_MS, onConflict }: TransactionOptions,
): Promise<Result> {
  const endsAt = performance.now() + repeatForMs;
  for (let conflicts = 1; ; conflicts += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof WriteConflict)) throw error;
      onConflict?.();
      if (performance.now() >= endsAt) throw error;
      await delay(pauseMs(conflicts));
    }
  }
}

/**
 * Runs a transaction once. The driver would repeat it for two minutes after a transient error, so this function hides the
 * label of such an error from the driver and throws `WriteConflict`. The driver still repeats a commit whose result is
 * unknown.
 */
export async function transactionOnce<Result>(
  session: mongo.ClientSession,
  work: (session: mongo.ClientSession) => Promise<Result>,
): Promise<Result> {
  let attempts = 0;
  const attempt = async (): Promise<Result> => {
    attempts += 1;
    // The driver begins again only after a commit that failed with a transient error.
    if (attempts > 1) throw new WriteConflict('the commit of a transaction failed; the transaction can be repeated');
    try {
      return await work(session);
    } catch (error) {
      throw isTransient(error) ? asConflict(error) : error;
    }
  };
  return session.withTransaction(attempt, { readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' } });
}

function isTransient(error: unknown): error is mongo.MongoError {
  return error instanceof mongo.MongoError && error.hasErrorLabel('TransientTransactionError');
}

function asConflict(error: mongo.MongoError): WriteConflict {
  return new WriteConflict(`a transaction was rolled back by a transient error: ${error.message}`, { cause: error });
}
