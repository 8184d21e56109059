import { Long, UUID, type Document } from 'bson';
import { beforeEach, expect, it } from 'vitest';
import { startServer } from '../../../dev/documentdb-server/server.js';
import { describeWith, DEVELOPMENT_SERVER, PLAIN_MONGODB } from '../../support/needs.ts';
import { ownDatabase, postgresAddress, RawClient } from './support.js';

const own = ownDatabase('documentdb_retryable');
const things = () => own.db.collection<{ _id: number; n: number }>('things');

beforeEach(async () => {
  await things().deleteMany({});
  await things().insertMany([1, 2, 3].map((_id) => ({ _id, n: 0 })));
});

/** Sends a command twice with the same session and number, as a driver does after it has lost the first reply. */
async function twice(command: Document): Promise<[Document, Document]> {
  const numbered = { ...command, lsid: { id: new UUID() }, txnNumber: Long.fromNumber(1), $db: own.db.databaseName };
  const first = await RawClient.connect();
  const second = await RawClient.connect();
  try {
    return [await first.command(numbered), await second.command(numbered)];
  } finally {
    first.close();
    second.close();
  }
}

describeWith(PLAIN_MONGODB)('a retryable write that is sent twice takes effect once:', () => {
  it('an insert', async () => {
    const [first, second] = await twice({ insert: 'things', documents: [{ _id: 9, n: 0 }] });
    expect([first, second]).toMatchObject([
      { ok: 1, n: 1 },
      { ok: 1, n: 1 },
    ]);
    expect(second['writeErrors']).toBeUndefined();
    expect(await things().countDocuments({ _id: 9 })).toBe(1);
  });

  it('an insert of several documents', async () => {
    const documents = [10, 11, 12].map((_id) => ({ _id, n: 0 }));
    const [, second] = await twice({ insert: 'things', documents });
    expect(second).toMatchObject({ ok: 1, n: 3 });
    expect(second['writeErrors']).toBeUndefined();
  });

  it('an update', async () => {
    const [, second] = await twice({ update: 'things', updates: [{ q: { _id: 1 }, u: { $inc: { n: 1 } } }] });
    expect(second).toMatchObject({ ok: 1, n: 1, nModified: 1 });
    expect((await things().findOne({ _id: 1 }))?.n).toBe(1);
  });

  it('a batch of updates', async () => {
    const updates = [1, 2, 3].map((_id) => ({ q: { _id }, u: { $inc: { n: 1 } } }));
    const [, second] = await twice({ update: 'things', updates });
    expect(second).toMatchObject({ ok: 1, n: 3, nModified: 3 });
    expect(await things().distinct('n')).toEqual([1]);
  });

  it('a delete', async () => {
    await things().updateMany({}, { $set: { n: 5 } });
    const [first, second] = await twice({ delete: 'things', deletes: [{ q: { n: 5 }, limit: 1 }] });
    expect([first['n'], second['n']]).toEqual([1, 1]);
    expect(await things().countDocuments({ n: 5 })).toBe(2);
  });

  it('a findAndModify', async () => {
    const [first, second] = await twice({
      findAndModify: 'things',
      query: { _id: 2 },
      update: { $inc: { n: 1 } },
      new: true,
    });
    expect([first['value'], second['value']]).toEqual([
      { _id: 2, n: 1 },
      { _id: 2, n: 1 },
    ]);
    expect((await things().findOne({ _id: 2 }))?.n).toBe(1);
  });
});

describeWith(PLAIN_MONGODB)('a batch of retryable writes', () => {
  it('of deleteOne deletes each of 500 documents', async () => {
    const ids = Array.from({ length: 500 }, (_, index) => 1000 + index);
    await things().insertMany(ids.map((_id) => ({ _id, n: 0 })));
    const result = await things().bulkWrite(ids.map((_id) => ({ deleteOne: { filter: { _id } } })));
    expect(result.deletedCount).toBe(500);
    expect(await things().countDocuments({ _id: { $gte: 1000 } })).toBe(0);
  });

  it('of upserts with a reply of 200 kB takes effect once', async () => {
    const body = 'x'.repeat(1_000);
    const updates = Array.from({ length: 200 }, (_, index) => ({
      q: { _id: `${index}-${body}` },
      u: { $inc: { n: 1 } },
      upsert: true,
    }));
    const [first, second] = await twice({ update: 'upserts', updates });
    expect(first['upserted']).toHaveLength(updates.length);
    expect(second['upserted']).toEqual(first['upserted']);
    expect(await own.db.collection('upserts').distinct('n')).toEqual([1]);
    await own.db.dropCollection('upserts');
  });
});

describeWith(DEVELOPMENT_SERVER)('after a restart of the server', () => {
  const start = () =>
    startServer({
      port: 0,
      postgres: {
        host: '127.0.0.1',
        port: 0,
        ...postgresAddress(),
        user: 'postgres',
        database: 'postgres',
        connectionsMax: 4,
      },
    });

  it.each([1, 2])(
    'a repeated update with %i statements takes effect once, however often it is repeated',
    async (size) => {
      const updates = [1, 2].slice(0, size).map((_id) => ({ q: { _id }, u: { $inc: { n: 1 } } }));
      const command = { update: 'things', updates, lsid: { id: new UUID() }, txnNumber: Long.fromNumber(1) };
      for (let attempt = 1; attempt <= 3; attempt += 1) {
        const server = await start();
        const raw = await RawClient.connect(server.uri);
        expect(await raw.command({ ...command, $db: own.db.databaseName })).toMatchObject({ ok: 1, nModified: size });
        raw.close();
        await server.close();
      }
      expect((await things().findOne({ _id: size }))?.n).toBe(1);
    },
  );
});

describeWith(PLAIN_MONGODB)('a write with an older number of the session', () => {
  it('is refused with TransactionTooOld', async () => {
    const raw = await RawClient.connect();
    const lsid = { id: new UUID() };
    const update = { update: 'things', updates: [{ q: { _id: 1 }, u: { $inc: { n: 1 } } }], lsid };
    const send = (number: number) =>
      raw.command({ ...update, txnNumber: Long.fromNumber(number), $db: own.db.databaseName });
    expect(await send(2)).toMatchObject({ ok: 1 });
    expect(await send(1)).toMatchObject({ ok: 0, code: 225 });
    raw.close();
  });
});

describeWith(PLAIN_MONGODB)('a write with the next number of the session', () => {
  it('takes effect again', async () => {
    const raw = await RawClient.connect();
    const lsid = { id: new UUID() };
    const update = {
      update: 'things',
      updates: [{ q: { _id: 1 }, u: { $inc: { n: 1 } } }],
      lsid,
      $db: own.db.databaseName,
    };
    for (const number of [1, 2, 3]) await raw.command({ ...update, txnNumber: Long.fromNumber(number) });
    expect((await things().findOne({ _id: 1 }))?.n).toBe(3);
    raw.close();
  });
});

describeWith(PLAIN_MONGODB)('an unacknowledged write', () => {
  it('takes effect, and the socket stays usable', async () => {
    const raw = await RawClient.connect();
    const MORE_TO_COME = 2;
    const insert = {
      insert: 'things',
      documents: [{ _id: 77, n: 1 }],
      writeConcern: { w: 0 },
      $db: own.db.databaseName,
    };
    raw.send(insert, MORE_TO_COME);
    expect(await raw.command({ ping: 1, $db: 'admin' })).toMatchObject({ ok: 1 });
    expect(await raw.command({ count: 'things', query: { _id: 77 }, $db: own.db.databaseName })).toMatchObject({
      n: 1,
    });
    expect(raw.replies).toHaveLength(2);
    raw.close();
  });
});
