import { once } from 'node:events';
import { UUID, Long, type Document } from 'bson';
import { mongo } from 'mongoose';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type DocumentDbServer } from '../../../dev/documentdb-server/server.js';
import { describeWith, DEVELOPMENT_SERVER } from '../../support/needs.ts';
import { eventually, opMsg, ownDatabase, postgresAddress, RawClient } from './support.js';

const address = postgresAddress();
const CONNECTIONS_MAX = 12;
/** Other test files use the same PostgreSQL through another server. */
const APPLICATION_NAME = `baton-documentdb-server-${process.pid}`;
const OWN_CONNECTIONS = `application_name = '${APPLICATION_NAME}'`;

/** These tests start their own server and inspect its PostgreSQL connections. */
describeWith(DEVELOPMENT_SERVER)('the server', () => {
  const postgres = { host: '127.0.0.1', port: 0, ...address, user: 'postgres', database: 'postgres' };
  const logged: string[] = [];
  const start = (lifetime = 60_000): Promise<DocumentDbServer> =>
    startServer({
      port: 0,
      postgres: { ...postgres, connectionsMax: CONNECTIONS_MAX },
      applicationName: APPLICATION_NAME,
      log: (line) => logged.push(line),
      transactionLifetimeMs: lifetime,
    });
  let server: DocumentDbServer;
  let admin: pg.Client;

  beforeAll(async () => {
    server = await start();
    admin = new pg.Client(postgres);
    await admin.connect();
  });
  afterAll(async () => {
    await server.close();
    await admin.end();
  });

  const own = ownDatabase('documentdb_server', () => server.uri);
  const things = () => own.db.collection<{ _id: number; n: number }>('things');

  const backends = async (except: readonly number[] = []): Promise<number[]> => {
    const { rows } = await admin.query<{ pid: number }>(`select pid from pg_stat_activity where ${OWN_CONNECTIONS}`);
    return rows.map(({ pid }) => pid).filter((pid) => !except.includes(pid));
  };
  const idleInTransaction = async () => {
    const where = `${OWN_CONNECTIONS} and state like 'idle in transaction%'`;
    return (await admin.query(`select 1 from pg_stat_activity where ${where}`)).rowCount;
  };
  const startTransaction = (raw: RawClient, command: Document) =>
    raw.command({
      ...command,
      $db: own.name,
      lsid: { id: new UUID() },
      txnNumber: Long.fromNumber(1),
      autocommit: false,
      startTransaction: true,
    });
  const increment = { update: 'things', updates: [{ q: { _id: 1 }, u: { $inc: { n: 1 } } }] };

  describe('when a client disconnects', () => {
    it('rolls back its transaction and releases its locks', async () => {
      await things().replaceOne({ _id: 1 }, { n: 0 }, { upsert: true });
      const raw = await RawClient.connect(server.uri);
      expect(await startTransaction(raw, increment)).toMatchObject({ ok: 1 });
      raw.close();
      await things().updateOne({ _id: 1 }, { $inc: { n: 10 } });
      expect((await things().findOne({ _id: 1 }))?.n).toBe(10);
      await eventually(async () => (await idleInTransaction()) === 0);
    });

    it('cancels the running statement of its transaction', async () => {
      const raw = await RawClient.connect(server.uri);
      const pipeline = [{ $match: { $expr: { $gt: [{ $size: { $range: [0, 2_000_000] } }, 1] } } }];
      await things().insertMany(Array.from({ length: 500 }, (_, index) => ({ _id: 100 + index, n: 0 })));
      void startTransaction(raw, { aggregate: 'things', pipeline, cursor: {} }).catch(() => undefined);
      const running = async () =>
        (await admin.query(`select 1 from pg_stat_activity where ${OWN_CONNECTIONS} and state = 'active'`)).rowCount !==
        0;
      await eventually(running);
      raw.close();
      await eventually(async () => !(await running()));
    });
  });

  it('rolls back an idle transaction', async () => {
    const other = await start(500);
    const raw = await RawClient.connect(other.uri);
    await things().replaceOne({ _id: 1 }, { n: 0 }, { upsert: true });
    expect(await startTransaction(raw, increment)).toMatchObject({ ok: 1 });
    await things().updateOne({ _id: 1 }, { $inc: { n: 10 } });
    expect((await things().findOne({ _id: 1 }))?.n).toBe(10);
    raw.close();
    await other.close();
  });

  describe('when PostgreSQL closes its connections', () => {
    const closeAll = () =>
      admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${OWN_CONNECTIONS}`);

    it('opens new connections', async () => {
      await things().countDocuments();
      await closeAll();
      await things().updateOne({ _id: 1 }, { $set: { n: 3 } });
      expect((await things().findOne({ _id: 1 }))?.n).toBe(3);
    });

    it('fails a transaction with a transient error, so that withTransaction repeats it', async () => {
      const session = own.client.startSession();
      let attempts = 0;
      await session.withTransaction(async () => {
        attempts += 1;
        await things().updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session });
        if (attempts === 1) await closeAll();
        await things().updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session });
      });
      await session.endSession();
      expect(attempts).toBe(2);
      expect((await things().findOne({ _id: 1 }))?.n).toBe(5);
      await eventually(async () => (await idleInTransaction()) === 0);
    });
  });

  describe('closes only the socket of the client that sends', () => {
    const damaged = opMsg(1, { ping: 1, $db: 'admin' });
    damaged.writeInt32LE(999, 21);
    it.each([
      ['a message of length zero', Buffer.alloc(64)],
      ['a message with an excessive length', Buffer.from('ffffff7f00000000000000000000dd07', 'hex')],
      ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
      ['an unknown opcode', Buffer.concat([Buffer.from('15000000010000000000000001000000', 'hex'), Buffer.alloc(5)])],
      ['unknown flags', opMsg(1, { ping: 1 }, 1 << 5)],
      ['a body longer than its message', damaged],
    ])('%s', async (_name, bytes) => {
      const before = logged.length;
      const raw = await RawClient.connect(server.uri);
      raw.socket.write(bytes);
      await once(raw.socket, 'close');
      expect(logged.length).toBe(before + 1);
      expect(await own.db.command({ ping: 1 })).toMatchObject({ ok: 1 });
    });
  });

  describe('implements the protocol:', () => {
    it('accepts messages in pieces and several messages in one packet', async () => {
      const raw = await RawClient.connect(server.uri);
      const messages = Buffer.concat([1, 2, 3].map((id) => opMsg(id, { ping: 1, $db: 'admin' })));
      for (const byte of messages) raw.socket.write(Buffer.from([byte]));
      await eventually(() => raw.replies.length === 3);
      raw.socket.write(messages);
      await eventually(() => raw.replies.length === 6);
      expect(raw.replies.map(({ responseTo }) => responseTo)).toEqual([1, 2, 3, 1, 2, 3]);
      raw.close();
    });

    it('accepts a message with a checksum', async () => {
      const raw = await RawClient.connect(server.uri);
      const message = Buffer.concat([opMsg(5, { ping: 1, $db: 'admin' }, 1), Buffer.alloc(4)]);
      message.writeInt32LE(message.length, 0);
      raw.socket.write(message);
      await eventually(() => raw.replies.length === 1);
      raw.close();
    });

    it('streams replies to an exhaust hello until the client disconnects', async () => {
      const raw = await RawClient.connect(server.uri);
      const { topologyVersion } = await raw.command({ hello: 1, $db: 'admin' });
      raw.send({ hello: 1, topologyVersion: topologyVersion as Document, maxAwaitTimeMS: 20, $db: 'admin' }, 1 << 16);
      await eventually(() => raw.replies.length >= 4);
      expect(raw.replies.slice(1).every(({ flags }) => flags === 2)).toBe(true);
      raw.close();
    });
  });

  it('serves a hundred writes and fifty transactions with a dozen PostgreSQL connections', async () => {
    await things().replaceOne({ _id: 2 }, { n: 0 }, { upsert: true });
    const plain = Array.from({ length: 100 }, () => things().updateOne({ _id: 2 }, { $inc: { n: 1 } }));
    const transactions = Array.from({ length: 50 }, async (_, index) => {
      const session = own.client.startSession();
      await session.withTransaction(() =>
        things().updateOne({ _id: 2_000 + index }, { $set: { n: 1 } }, { upsert: true, session }),
      );
      await session.endSession();
    });
    await Promise.all([...plain, ...transactions]);
    expect((await things().findOne({ _id: 2 }))?.n).toBe(100);
    expect(await things().countDocuments({ _id: { $gte: 2_000 } })).toBe(50);
  });

  it('serves other clients while one client does not read its replies', async () => {
    const wide = own.db.collection<{ _id: number; body: string }>('wide');
    await wide.insertMany(Array.from({ length: 14 }, (_, _id) => ({ _id, body: 'x'.repeat(1024 * 1024) })));
    const raw = await RawClient.connect(server.uri);
    raw.socket.pause();
    for (let sent = 0; sent < 4; sent += 1) raw.send({ find: 'wide', $db: own.name });
    await Promise.all(Array.from({ length: 50 }, () => own.db.command({ ping: 1 })));
    raw.socket.resume();
    await eventually(() => raw.replies.length === 4, 30_000);
    raw.close();
  });

  describe('closes cleanly', () => {
    it('with an open transaction, an open cursor, a monitor and a waiting statement', async () => {
      const before = await backends();
      const sockets = () => process.getActiveResourcesInfo().filter((kind) => /TCP|Timeout/.test(kind)).length;
      const open = sockets();
      const other = await start();
      const client = new mongo.MongoClient(other.uri, { serverSelectionTimeoutMS: 500 });
      const otherThings = client.db(own.name).collection<{ _id: number; n: number }>('things');
      const session = client.startSession();
      session.startTransaction();
      await otherThings.updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session });
      const cursor = otherThings.find().sort({ n: 1, _id: 1 }).batchSize(2);
      await cursor.next();
      // Either outcome is correct, because the rollback releases the lock for which the update waits.
      const waiting = Promise.allSettled([otherThings.updateOne({ _id: 1 }, { $inc: { n: 1 } })]);
      await new Promise((resolve) => setTimeout(resolve, 50));
      const started = Date.now();
      await Promise.all([other.close(), other.close()]);
      expect(Date.now() - started).toBeLessThan(4_000);
      await waiting;
      await client.close();
      await eventually(async () => (await backends(before)).length === 0);
      await eventually(() => sockets() <= open);
      await expect(RawClient.connect(other.uri)).rejects.toThrow('ECONNREFUSED');
    });
  });
});
