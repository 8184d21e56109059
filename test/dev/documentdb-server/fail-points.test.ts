import { Long, UUID, type Document } from 'bson';
import { mongo } from 'mongoose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startServer, type DocumentDbServer } from '../../../dev/documentdb-server/server.js';
import { describeWith, DEVELOPMENT_SERVER } from '../../support/needs.ts';
import { eventually, ownDatabase, postgresAddress, RawClient, rejection } from './support.js';

const address = postgresAddress();
/** The lifetime of an idle transaction on the server of these tests. */
const LIFETIME_MS = 3_000;

/** A fail point concerns all clients of a server, so these tests start their own. */
describeWith(DEVELOPMENT_SERVER)('on a server with fail points,', () => {
  let server: DocumentDbServer;
  beforeAll(async () => {
    const postgres = { host: '127.0.0.1', port: 0, ...address, user: 'postgres', database: 'postgres' };
    server = await startServer({
      port: 0,
      postgres: { ...postgres, connectionsMax: 12 },
      transactionLifetimeMs: LIFETIME_MS,
    });
  });
  afterAll(() => server.close());

  const own = ownDatabase('documentdb_fail_points', () => server.uri);
  const things = () => own.db.collection<{ _id: number; n: number }>('things');
  const value = async () => (await things().findOne({ _id: 1 }))?.n;
  const increment = (session?: mongo.ClientSession) =>
    things().updateOne({ _id: 1 }, { $inc: { n: 1 } }, session === undefined ? {} : { session });
  const configure = (name: string, mode: unknown, data?: Document) =>
    own.client.db('admin').command({ configureFailPoint: name, mode, ...(data === undefined ? {} : { data }) });
  const failing = (mode: unknown, data: Document) => configure('failCommand', mode, data);

  beforeEach(() => things().replaceOne({ _id: 1 }, { n: 0 }, { upsert: true }));
  const modes = ['failCommand', 'keepTransactionsOfLostClients', 'ignoreTransactions', 'ignoreSnapshots'];
  afterEach(() => Promise.all(modes.map((name) => configure(name, 'off'))));

  describe('failCommand', () => {
    it('fails the named commands as often as the mode says', async () => {
      await failing({ times: 2 }, { failCommands: ['find'], errorCode: 2 });
      expect(await rejection(value())).toMatchObject({ code: 2, codeName: 'BadValue' });
      await increment();
      await rejection(value());
      expect(await value()).toBe(1);
      await failing({ skip: 1 }, { failCommands: ['find'], errorCode: 2 });
      expect(await value()).toBe(1);
      await rejection(value());
      await rejection(value());
      expect(await rejection(configure('unknown', 'off'))).toMatchObject({ code: 186 });
    });

    it.each([
      ['a retryable error', { errorCode: 91 }],
      ['a lost connection', { closeConnection: true }],
    ])('lets the driver repeat a read and a write after %s', async (_name, data) => {
      await failing({ times: 1 }, { failCommands: ['update'], ...data });
      await increment();
      await failing({ times: 1 }, { failCommands: ['find'], ...data });
      expect(await value()).toBe(1);
    });

    it('labels an error only as given when errorLabels is present', async () => {
      await failing({ times: 1 }, { failCommands: ['update'], errorCode: 91, errorLabels: [] });
      expect((await rejection(increment())).code).toBe(91);
    });

    it('returns a write concern error after the write has taken effect', async () => {
      const writeConcernError = { code: 64, errmsg: 'timed out' };
      await failing({ times: 1 }, { failCommands: ['update'], writeConcernError });
      expect(await rejection(increment())).toMatchObject({ code: 64 });
      expect(await value()).toBe(1);
    });

    it('delays a command', async () => {
      await failing({ times: 1 }, { failCommands: ['find'], blockConnection: true, blockTimeMS: 300 });
      const startedAt = performance.now();
      await value();
      expect(performance.now() - startedAt).toBeGreaterThan(290);
    });

    it('concerns only clients of the given appName', async () => {
      await failing('alwaysOn', { failCommands: ['find'], errorCode: 2, appName: 'other' });
      expect(await value()).toBe(0);
      const other = new mongo.MongoClient(server.uri, { appName: 'other' });
      expect(await rejection(other.db(own.name).collection('things').findOne({}))).toMatchObject({ code: 2 });
      await other.close();
    });

    it.each([
      ['the whole transaction after an error of a statement', 'update', { errorCode: 112 }, 2],
      ['the whole transaction after a lost connection', 'update', { closeConnection: true }, 2],
      ['only the commit after its connection is lost', 'commitTransaction', { closeConnection: true }, 1],
      ['only the commit after a retryable error', 'commitTransaction', { errorCode: 91 }, 1],
    ])('lets withTransaction repeat %s', async (_name, command, data, attemptsExpected) => {
      // The driver closes the connection after these errors. As in MongoDB, this must not end the transaction.
      await configure('keepTransactionsOfLostClients', 'alwaysOn');
      await failing({ times: 1 }, { failCommands: [command], ...data });
      let attempts = 0;
      await own.client.withSession((session) =>
        session.withTransaction(async () => {
          attempts += 1;
          await increment(session);
        }),
      );
      expect(attempts).toBe(attemptsExpected);
      expect(await value()).toBe(1);
    });
  });

  describe('keepTransactionsOfLostClients', () => {
    const lsid = { id: new UUID() };
    const openAndDisconnect = async (number: number) => {
      const raw = await RawClient.connect(server.uri);
      const reply = await raw.command({
        ...{ update: 'things', updates: [{ q: { _id: 1 }, u: { $inc: { n: 100 } } }], $db: own.name, lsid },
        ...{ txnNumber: Long.fromNumber(number), autocommit: false, startTransaction: true },
      });
      expect(reply).toMatchObject({ ok: 1 });
      raw.close();
    };
    const openCount = async () =>
      ((await own.client.db('admin').command({ serverStatus: 1 })) as { transactions: { currentOpen: number } })
        .transactions.currentOpen;

    it('keeps a transaction open until its lifetime ends', async () => {
      await configure('keepTransactionsOfLostClients', 'alwaysOn');
      await openAndDisconnect(1);
      const startedAt = performance.now();
      await increment();
      expect(performance.now() - startedAt).toBeGreaterThan(LIFETIME_MS / 2);
      expect(await value()).toBe(1);
    });

    it('lets killSessions end the transaction at once', async () => {
      await configure('keepTransactionsOfLostClients', 'alwaysOn');
      await openAndDisconnect(2);
      const waiting = increment();
      await own.client.db('admin').command({ killSessions: [lsid] });
      const startedAt = performance.now();
      await waiting;
      expect(performance.now() - startedAt).toBeLessThan(LIFETIME_MS / 2);
      expect(await openCount()).toBe(0);
    });

    it('rolls the transaction back at once when it is off', async () => {
      await openAndDisconnect(3);
      await eventually(async () => (await openCount()) === 0, LIFETIME_MS / 2);
    });
  });

  it('a transaction is only pretended in the mode ignoreTransactions', async () => {
    await configure('ignoreTransactions', 'alwaysOn');
    await own.client.withSession(async (session) => {
      session.startTransaction();
      await increment(session);
      expect(await value()).toBe(1);
      await session.abortTransaction();
    });
    expect(await value()).toBe(1);
  });

  it('a snapshot session sees later writes in the mode ignoreSnapshots', async () => {
    await configure('ignoreSnapshots', 'alwaysOn');
    await own.client.withSession({ snapshot: true }, async (session) => {
      const read = async () => (await things().findOne({ _id: 1 }, { session }))?.n;
      expect(await read()).toBe(0);
      await increment();
      expect(await read()).toBe(1);
    });
  });

  it('a busy transaction stays open beyond the lifetime of idle ones', () =>
    own.client.withSession(async (session) => {
      session.startTransaction();
      for (const until = Date.now() + 1.5 * LIFETIME_MS; Date.now() < until;) {
        await increment(session);
        await new Promise((resolve) => setTimeout(resolve, LIFETIME_MS / 10));
      }
      await session.commitTransaction();
      expect(await value()).toBeGreaterThan(5);
    }));
});
