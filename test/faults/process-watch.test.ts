import { EventEmitter, once } from 'node:events';
import { UUID } from 'bson';
import mongoose, { type mongo } from 'mongoose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startServer, type DocumentDbServer } from '../../dev/documentdb-server/server.js';
import { withDatabase } from '../../dev/services/environment-services.ts';
import { Database } from '../../src/mongo/database.ts';
import type { ProcessDoc } from '../../src/mongo/documents.ts';
import { isDatabaseAway } from '../../src/mongo/server-errors.ts';
import { TransactionSessions } from '../../src/mongo/transaction-sessions.ts';
import { postgresAddress } from '../dev/documentdb-server/support.ts';
import { testConfig } from '../support/harness.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

const LOOK_EVERY_MS = 2_000;
/** Three looks without a change, two seconds apart, and one more to begin with. */
const ENDED_WITHIN_MS = 12_000;

const config = testConfig().mongo;
const name = new URL(config.uri).pathname.slice(1);

let client: mongo.MongoClient;
let database: Database;
const processes = (): mongo.Collection<ProcessDoc> => client.db(name).collection<ProcessDoc>('processes');
const inc = (_id: string, session?: mongo.ClientSession, by = database): Promise<unknown> =>
  by.texters.updateOne({ _id } as object, { $inc: { fence: 1 } }, session ? { session } : {});
const fence = async (_id: string): Promise<unknown> => (await database.texters.findOne({ _id } as object))?.fence;

interface OpenTransaction {
  /** Resolves when the transaction holds the document. */
  readonly wrote: Promise<unknown>;
  readonly commit: () => Promise<void>;
}

/** A transaction that stays open until its commit is asked for, in a process that shows no life. */
function openIn(sessions: TransactionSessions, _id: string): OpenTransaction {
  const events = new EventEmitter();
  const wrote = once(events, 'wrote');
  const ending = once(events, 'end');
  const texters = client.db(name).collection<{ _id: string; fence: number }>('texters');
  const ended = sessions.use(async (session) => {
    await sessions.ensureRecorded(session);
    session.startTransaction();
    await texters.updateOne({ _id }, { $inc: { fence: 100 } }, { session });
    events.emit('wrote');
    await ending;
    await session.commitTransaction();
  });
  ended.catch(() => undefined);
  return {
    wrote,
    commit: () => {
      events.emit('end');
      return ended;
    },
  };
}

/** The sessions of a process that never shows life. */
const frozen = (): TransactionSessions => new TransactionSessions(client, processes());

beforeAll(async () => {
  client = new mongoose.mongo.MongoClient(config.uri, { writeConcern: { w: 'majority' } });
  database = await Database.open(config);
});
afterAll(async () => {
  await client.db(name).dropDatabase();
  await database.close();
  await client.close();
});
beforeEach(async () => {
  await database.texters.deleteMany({});
  await database.texters.insertMany(['a', 'b'].map((_id) => ({ _id, fence: 0 })) as never[]);
});

describe('a process that runs transactions', () => {
  it('leaves its record when it ends in the middle of a transaction', async () => {
    const sessions = frozen();
    const { wrote, commit } = openIn(sessions, 'a');
    await wrote;
    await sessions.close();
    expect(await processes().countDocuments({ _id: sessions.processId })).toBe(1);
    await commit();
    await sessions.close();
    expect(await processes().countDocuments({ _id: sessions.processId })).toBe(0);
  });

  it('keeps a long transaction while it lives', async () => {
    const own = await Database.open(config);
    const lastingUntil = performance.now() + ENDED_WITHIN_MS;
    await own.transaction(async (session) => {
      await inc('a', session, own);
      await until('the time to pass', () => performance.now() > lastingUntil);
    });
    expect(await fence('a')).toBe(1);
    await own.close();
  });
});

it('the transaction of a living process whose connections broke is ended', async () => {
  const proxy = await TcpProxy.before(config.uri);
  const through = `mongodb://${new URL(proxy.url).host}/${name}?directConnection=true`;
  const own = await Database.open({ ...config, uri: through, serverSelectionTimeoutMs: 500 });
  const lost = own.transaction(async (session) => {
    await inc('a', session, own);
    proxy.away();
    await inc('a', session, own);
  });
  await expect(lost).rejects.toSatisfy(isDatabaseAway);
  const writtenBy = performance.now() + ENDED_WITHIN_MS;
  proxy.back();
  await inc('a');
  expect(performance.now()).toBeLessThan(writtenBy);
  expect(await fence('a')).toBe(1);
  await own.close();
  await proxy.close();
});

it('a process that met no database at its first look ends the sessions of a dead process later', async () => {
  // Another watch would end it too.
  await database.close();
  const proxy = await TcpProxy.before(config.uri);
  const through = `mongodb://${new URL(proxy.url).host}/${name}?directConnection=true`;
  const own = await Database.open({ ...config, uri: through, serverSelectionTimeoutMs: 100 });
  try {
    proxy.away();
    const awayUntil = performance.now() + 2 * LOOK_EVERY_MS;
    await until('the time to pass', () => performance.now() > awayUntil);
    proxy.back();
    await processes().insertOne({ _id: 'dead', sessions: [], beat: 1 });
    await until('the record to be deleted', async () => (await processes().countDocuments({ _id: 'dead' })) === 0);
  } finally {
    await own.close();
    await proxy.close();
    database = await Database.open(config);
  }
});

describe('the transaction of a process that shows no life', () => {
  it('is ended, and a write that waits for it continues', async () => {
    const sessions = frozen();
    const { wrote, commit } = openIn(sessions, 'a');
    await wrote;
    const writtenBy = performance.now() + ENDED_WITHIN_MS;
    await inc('a');
    expect(performance.now()).toBeLessThan(writtenBy);
    await expect(commit()).rejects.toMatchObject({ code: 251 });
    expect(await fence('a')).toBe(1);
    await until(
      'the record to be deleted',
      async () => (await processes().countDocuments({ _id: sessions.processId })) === 0,
    );
  });

  it('is ended although writes that wait for it occupy every connection', async () => {
    // Another watch would end it too.
    await database.close();
    const small = await Database.open({ ...config, connectionsMax: 2 });
    try {
      const { wrote, commit } = openIn(frozen(), 'a');
      await wrote;
      const writtenBy = performance.now() + ENDED_WITHIN_MS;
      await Promise.all([inc('a', undefined, small), inc('a', undefined, small), inc('a', undefined, small)]);
      expect(performance.now()).toBeLessThan(writtenBy);
      await expect(commit()).rejects.toMatchObject({ code: 251 });
    } finally {
      await small.close();
      database = await Database.open(config);
    }
    expect(await fence('a')).toBe(3);
  });

  it('is repeated when the process was only frozen', async () => {
    const sessions = frozen();
    const first = openIn(sessions, 'a');
    await first.wrote;
    await inc('a');
    await expect(first.commit()).rejects.toMatchObject({ code: 251 });
    await until(
      'the record to be deleted',
      async () => (await processes().countDocuments({ _id: sessions.processId })) === 0,
    );
    const again = openIn(sessions, 'a');
    await again.wrote;
    expect(await processes().countDocuments({ _id: sessions.processId })).toBe(1);
    await again.commit();
    expect(await fence('a')).toBe(101);
    await sessions.close();
  });
});

const address = postgresAddress();

describe.skipIf(address === undefined)('a server that refuses to end sessions', () => {
  let server: DocumentDbServer;
  let own: Database;
  const refusals: Error[] = [];
  beforeAll(async () => {
    const postgres = { host: '127.0.0.1', port: 0, ...address, user: 'postgres', database: 'postgres' };
    server = await startServer({ port: 0, postgres: { ...postgres, connectionsMax: 12 } });
    // A database of its own, because other watches see the records of their database.
    const uri = withDatabase(server.uri, `${name}_refused`);
    own = await Database.open({ ...config, uri }, (error) => refusals.push(error));
  });
  afterAll(async () => {
    await own.command({ dropDatabase: 1 });
    await own.close();
    await server.close();
  });

  it('is reported once for each process that has died', async () => {
    const failing = { failCommands: ['killSessions'], errorCode: 13 };
    await own.client.db('admin').command({ configureFailPoint: 'failCommand', mode: 'alwaysOn', data: failing });
    const records = own.client.db(`${name}_refused`).collection<ProcessDoc>('processes');
    await records.insertOne({ _id: 'dead', sessions: [new UUID()], beat: 1 });
    await until('the record to be deleted', async () => (await records.countDocuments()) === 0);
    expect(refusals).toEqual([expect.objectContaining({ code: 13 })]);
  });
});
