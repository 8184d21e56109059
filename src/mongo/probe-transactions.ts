import mongoose from 'mongoose';
import { Refusal } from '../domain/errors.ts';
import { errorText } from '../domain/safe-text.ts';
import type { Database } from './database.ts';
import { Probe } from './probe.ts';
import { hasCode } from './server-errors.ts';

/** What a server answers that has no transactions: an illegal operation, an unknown or a forbidden command. */
const UNSUPPORTED: readonly unknown[] = [20, 59, 115, 263];
const TIME_LIMIT_EXCEEDED = 50;

/**
 * Tries the transactions of the server. Returns what is wrong with them as the second half of a sentence that begins with
 * "the server", or `undefined`. Some servers accept the commands of a transaction and run each write at once.
 */
export async function problemOfTransactions(database: Database): Promise<string | undefined> {
  try {
    return await Probe.run(database, async (probe) => (await findsEarlyWrite(probe)) ?? (await findsLostWrite(probe)));
  } catch (error) {
    if (error instanceof mongoose.mongo.MongoServerError && UNSUPPORTED.includes(error.code)) {
      return `has no transactions: ${errorText(error)}`;
    }
    throw error;
  }
}

/** Throws a `Refusal` if the server has no transactions, or only pretends to have them. */
export async function requireTransactions(database: Database): Promise<void> {
  const problem = await problemOfTransactions(database);
  if (problem === undefined) return;
  throw new Refusal('bad-config', {
    message: `MONGODB_URI names a server that ${problem}; use a replica set of MongoDB, see \`baton doctor\``,
    expected: 'a server whose transactions are isolated',
    received: `a server that ${problem}`,
  });
}

async function findsEarlyWrite(probe: Probe): Promise<string | undefined> {
  const before = await probe.read();
  const during = await probe.inTransaction(async (session) => {
    await probe.write(session);
    return probe.read();
  });
  if (during !== before) return 'only pretends to have transactions: a write was visible before its commit';
  if ((await probe.read()) !== before) return 'only pretends to have transactions: an aborted write was kept';
  return undefined;
}

/** The guards of a transaction rely on its snapshot, so a later write to the same document must make it fail. */
async function findsLostWrite(probe: Probe): Promise<string | undefined> {
  const isRefused = await probe.inTransaction(async (first) => {
    await probe.write(first);
    return probe.inTransaction(async (second) => conflicts(() => probe.write(second)));
  });
  if (!isRefused) return 'lets two transactions write one document at the same time';
  const isOutdated = await probe.inTransaction(async (session) => {
    await probe.readIn(session);
    await probe.write();
    return conflicts(() => probe.write(session));
  });
  return isOutdated ? undefined : 'lets a transaction write a document that has changed since its snapshot';
}

/** Returns true if the write fails because of the other one. Some servers wait for the other one, which is as safe. */
async function conflicts(write: () => Promise<void>): Promise<boolean> {
  try {
    await write();
    return false;
  } catch (error) {
    if (!(error instanceof mongoose.mongo.MongoError)) throw error;
    if (error.hasErrorLabel('TransientTransactionError') || hasCode(error, TIME_LIMIT_EXCEEDED)) return true;
    throw error;
  }
}
