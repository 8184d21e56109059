import { performance } from 'node:perf_hooks';
import mongoose, { type mongo, Types } from 'mongoose';
import { errorText } from '../domain/safe-text.ts';
import type { Database } from './database.ts';
import { CLAIMABLE } from './documents.ts';
import { BY_ID } from './indexes.ts';
import { atAnyMoment } from './transaction.ts';
import { Probe } from './probe.ts';
import { problemOfTransactions } from './probe-transactions.ts';

/** What the server does not do as Baton needs it: each is the second half of a sentence that begins with "the server". */
export interface FeatureProblems {
  readonly transactions: string | undefined;
  /** Several reads outside of transactions that see one moment. */
  readonly snapshots: string | undefined;
  /** Writes by ids that other conditions guard. */
  readonly guardedWrites: string | undefined;
  /** Ending the transaction of another process. */
  readonly killedProcesses: string | undefined;
  /** How long a write to one document waits for the majority. */
  readonly majorityWriteMs: number;
}

const WRITES_MEASURED = 5;
const IDS_MAX = 3;

/** Tries the features on this server. Writes only probe documents, and deletes them. */
export async function probeFeatures(database: Database): Promise<FeatureProblems> {
  const transactions = await problemOfTransactions(database);
  return Probe.run(database, async (probe) => ({
    transactions,
    snapshots: await problemOf(() => findsLaterWrite(probe)),
    guardedWrites: await problemOf(() => findsWalk(database)),
    // Without transactions, there is none that could be left open.
    killedProcesses: transactions === undefined ? await problemOf(() => findsKeptTransaction(probe)) : undefined,
    majorityWriteMs: await measureWrite(probe),
  }));
}

/** The answer of the server is the problem. A lost connection is none of its features. */
async function problemOf(find: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await find();
  } catch (error) {
    if (!(error instanceof mongoose.mongo.MongoServerError)) throw error;
    return `refuses it: ${errorText(error)}`;
  }
}

async function findsLaterWrite(probe: Probe): Promise<string | undefined> {
  const find = async (session: mongo.ClientSession): Promise<string | undefined> => {
    const first = await probe.readSnapshot(session);
    await probe.write();
    return (await probe.readSnapshot(session)) === first ? undefined : 'shows a write that came after the snapshot';
  };
  return atAnyMoment(() => probe.client.withSession({ snapshot: true }, find));
}

/** Explains the write that moves conversations. */
async function findsWalk(database: Database): Promise<string | undefined> {
  const ids = Array.from({ length: IDS_MAX }, () => new Types.ObjectId());
  const q = { _id: { $in: ids }, campaignId: 'probe', ...CLAIMABLE };
  const write = { q, u: { $set: { assigneeId: null } }, multi: true, hint: BY_ID };
  const explain = { update: 'conversations', updates: [write] };
  const { queryPlanner } = await database.command({ explain, verbosity: 'queryPlanner' });
  const plan = JSON.stringify((queryPlanner as mongo.Document | undefined)?.['winningPlan'] ?? {});
  if (plan.includes('"COLLSCAN"')) return 'reads the whole collection to find conversations by their ids';
  const others = [...plan.matchAll(/"indexName":"([^"]*)"/g)].flatMap(([, name = '']) =>
    name === '_id_' ? [] : [name],
  );
  return others.length === 0 ? undefined : `finds conversations by their ids through the index ${others.join(', ')}`;
}

async function findsKeptTransaction(probe: Probe): Promise<string | undefined> {
  return probe.inTransaction(async (session) => {
    await probe.write(session);
    await probe.client.db('admin').command({ killSessions: [{ id: session.id?.id }] });
    return (await isWritable(probe)) ? undefined : 'keeps a transaction whose session was ended';
  });
}

async function isWritable(probe: Probe): Promise<boolean> {
  return probe.write().then(
    () => true,
    () => false,
  );
}

async function measureWrite(probe: Probe): Promise<number> {
  const times: number[] = [];
  for (let at = 0; at < WRITES_MEASURED; at += 1) {
    const startedAt = performance.now();
    await probe.write();
    times.push(performance.now() - startedAt);
  }
  const median = times.toSorted((a, b) => a - b)[Math.floor(WRITES_MEASURED / 2)] ?? 0;
  return Math.round(median);
}
