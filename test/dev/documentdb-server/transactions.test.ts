import { Long, UUID } from 'bson';
import type { mongo } from 'mongoose';
import { beforeEach, describe, expect, it } from 'vitest';
import { itWith, PLAIN_MONGODB } from '../../support/needs.ts';
import { eventually, ownDatabase, RawClient, rejection } from './support.js';

interface Account {
  _id: string;
  balance: number;
}

const own = ownDatabase('documentdb_transactions');
const accounts = () => own.db.collection<Account>('accounts');

beforeEach(async () => {
  await accounts().deleteMany({});
  await accounts().insertMany([
    { _id: 'a', balance: 10 },
    { _id: 'b', balance: 10 },
  ]);
});

async function inSession<Result>(run: (session: mongo.ClientSession) => Promise<Result>): Promise<Result> {
  const session = own.client.startSession();
  try {
    return await run(session);
  } finally {
    await session.endSession();
  }
}

const add = (id: string, amount: number, session?: mongo.ClientSession) =>
  accounts().updateOne({ _id: id }, { $inc: { balance: amount } }, session === undefined ? {} : { session });
const balance = async (id: string) => (await accounts().findOne({ _id: id }))?.balance;

describe('a transaction', () => {
  it('is invisible outside before its commit and visible after it', () =>
    inSession(async (session) => {
      session.startTransaction();
      await add('a', 5, session);
      expect(await balance('a')).toBe(10);
      expect((await accounts().findOne({ _id: 'a' }, { session }))?.balance).toBe(15);
      await session.commitTransaction();
      expect(await balance('a')).toBe(15);
    }));

  it('changes nothing when it is aborted', () =>
    inSession(async (session) => {
      session.startTransaction();
      await add('a', 5, session);
      await accounts().insertOne({ _id: 'c', balance: 1 }, { session });
      await session.abortTransaction();
      expect(await accounts().find().sort({ _id: 1 }).toArray()).toEqual([
        { _id: 'a', balance: 10 },
        { _id: 'b', balance: 10 },
      ]);
    }));

  it('reads one snapshot while other clients write', () =>
    inSession(async (session) => {
      session.startTransaction();
      expect(await accounts().countDocuments({}, { session })).toBe(2);
      await accounts().insertOne({ _id: 'late', balance: 0 });
      expect(await accounts().countDocuments({}, { session })).toBe(2);
      await session.commitTransaction();
    }));

  it('can write to a collection that does not exist', () =>
    inSession(async (session) => {
      const fresh = own.db.collection<Account>(`fresh_${Date.now()}`);
      await session.withTransaction(() => fresh.insertOne({ _id: 'x', balance: 1 }, { session }));
      expect(await fresh.countDocuments()).toBe(1);
    }));

  it('can create the same collection as other concurrent transactions', async () => {
    const fresh = own.db.collection<Account>(`contested_${Date.now()}`);
    const inserts = Array.from({ length: 20 }, (_, index) =>
      inSession((session) =>
        session.withTransaction(() => fresh.insertOne({ _id: `${index}`, balance: 1 }, { session })),
      ),
    );
    await Promise.all(inserts);
    expect(await fresh.countDocuments()).toBe(20);
  });

  it('does not block commands outside itself, even with sixty transactions at once', async () => {
    const transactions = Array.from({ length: 60 }, (_, index) =>
      inSession((session) =>
        session.withTransaction(async () => {
          await accounts().insertOne({ _id: `w${index}`, balance: 1 }, { session });
          await accounts().countDocuments({ _id: 'a' });
          await accounts().updateOne({ _id: `w${index}` }, { $inc: { balance: 1 } }, { session });
        }),
      ),
    );
    await Promise.all(transactions);
    expect(await accounts().countDocuments({ balance: 2 })).toBe(60);
  });

  it('fails with a transient error when another open transaction has written the same document', () =>
    inSession(async (first) =>
      inSession(async (second) => {
        first.startTransaction();
        second.startTransaction();
        await add('a', 1, first);
        const error = await rejection(add('a', 2, second));
        expect(error).toMatchObject({ code: 112, codeName: 'WriteConflict' });
        expect(error.hasErrorLabel('TransientTransactionError')).toBe(true);
        await first.commitTransaction();
        await second.abortTransaction();
        expect(await balance('a')).toBe(11);
      }),
    ));

  it('fails with a transient error when the document has changed since its snapshot', () =>
    inSession(async (session) => {
      session.startTransaction();
      await accounts().findOne({ _id: 'b' }, { session });
      await add('a', 1);
      const error = await rejection(add('a', 2, session));
      expect(error).toMatchObject({ code: 112 });
      expect(error.hasErrorLabel('TransientTransactionError')).toBe(true);
      await session.abortTransaction();
    }));

  it('loses no update when many withTransaction calls change one document', async () => {
    const increments = Array.from({ length: 12 }, () =>
      inSession((session) =>
        session.withTransaction(async () => {
          const account = await accounts().findOne({ _id: 'a' }, { session });
          await accounts().updateOne({ _id: 'a' }, { $set: { balance: (account?.balance ?? 0) + 1 } }, { session });
        }),
      ),
    );
    await Promise.all(increments);
    expect(await balance('a')).toBe(22);
  });

  it('ends at its first failed write', () =>
    inSession(async (session) => {
      session.startTransaction();
      await add('a', 5, session);
      expect(await rejection(accounts().insertOne({ _id: 'b', balance: 0 }, { session }))).toMatchObject({
        code: 11000,
      });
      const after = await rejection(add('a', 1, session));
      expect(after).toMatchObject({ code: 251, codeName: 'NoSuchTransaction' });
      expect(after.hasErrorLabel('TransientTransactionError')).toBe(true);
      await session.abortTransaction();
      expect(await balance('a')).toBe(10);
    }));
});

describe('a write outside a transaction', () => {
  it('waits for a conflicting transaction and then succeeds', () =>
    inSession(async (session) => {
      session.startTransaction();
      await add('a', 5, session);
      const waiting = add('a', 100);
      await new Promise((resolve) => setTimeout(resolve, 200));
      await session.commitTransaction();
      expect((await waiting).modifiedCount).toBe(1);
      expect(await balance('a')).toBe(115);
    }));

  it('never fails with a conflict, even when many batches lock documents in opposite orders', async () => {
    const ids = Array.from({ length: 30 }, (_, index) => `k${index}`);
    await accounts().insertMany(ids.map((_id) => ({ _id, balance: 0 })));
    const orders = [ids, [...ids].reverse()];
    const writes = Array.from({ length: 20 }, (_, writer) => {
      const operations = (orders[writer % 2] ?? []).map((_id) => ({
        updateOne: { filter: { _id }, update: { $inc: { balance: 1 } } },
      }));
      return accounts().bulkWrite(operations);
    });
    const many = Array.from({ length: 10 }, () => accounts().updateMany({ _id: /^k/ }, { $inc: { balance: 1 } }));
    await Promise.all([...writes, ...many]);
    expect(await accounts().distinct('balance', { _id: /^k/ })).toEqual([30]);
  });
});

describe('the end of a transaction', () => {
  itWith(PLAIN_MONGODB)('can be requested twice, so that a driver can repeat a commit after a lost reply', async () => {
    const lsid = { id: new UUID() };
    const raw = await RawClient.connect();
    const number = { lsid, txnNumber: Long.fromNumber(1), autocommit: false };
    const $db = own.db.databaseName;
    const update = { update: 'accounts', updates: [{ q: { _id: 'a' }, u: { $inc: { balance: 1 } } }], $db };
    expect(await raw.command({ ...update, ...number, startTransaction: true })).toMatchObject({ ok: 1, n: 1 });
    const commit = { commitTransaction: 1, ...number, $db: 'admin' };
    expect(await raw.command(commit)).toMatchObject({ ok: 1 });
    expect(await raw.command(commit)).toMatchObject({ ok: 1 });
    expect(await raw.command({ ...update, ...number })).toMatchObject({ ok: 0, code: 256 });
    expect(await raw.command({ ...update, ...number, startTransaction: true })).toMatchObject({ ok: 0 });
    expect(await raw.command({ ...commit, txnNumber: Long.fromNumber(7) })).toMatchObject({ ok: 0, code: 251 });
    expect(await balance('a')).toBe(11);
    raw.close();
  });

  itWith(PLAIN_MONGODB)('happens when the session starts another transaction', async () => {
    const lsid = { id: new UUID() };
    const raw = await RawClient.connect();
    const $db = own.db.databaseName;
    const update = {
      update: 'accounts',
      updates: [{ q: { _id: 'a' }, u: { $inc: { balance: 1 } } }],
      $db,
      lsid,
    };
    const start = { autocommit: false, startTransaction: true };
    expect(await raw.command({ ...update, ...start, txnNumber: Long.fromNumber(1) })).toMatchObject({ ok: 1 });
    expect(await raw.command({ ...update, ...start, txnNumber: Long.fromNumber(2) })).toMatchObject({ ok: 1 });
    const commit = { commitTransaction: 1, lsid, autocommit: false, $db: 'admin' };
    expect(await raw.command({ ...commit, txnNumber: Long.fromNumber(1) })).toMatchObject({ ok: 0 });
    expect(await raw.command({ ...commit, txnNumber: Long.fromNumber(2) })).toMatchObject({ ok: 1 });
    expect(await balance('a')).toBe(11);
    raw.close();
  });

  it('happens with endSessions', async () => {
    const session = own.client.startSession();
    session.startTransaction();
    await add('a', 5, session);
    await session.endSession();
    await add('a', 1);
    await eventually(async () => (await balance('a')) === 11);
  });

  it('happens with killSessions, after which the session can be used again', () =>
    inSession(async (session) => {
      session.startTransaction();
      await add('a', 5, session);
      await own.client.db('admin').command({ killSessions: [{ id: session.id?.id }] });
      const late = await rejection(session.commitTransaction());
      expect(late).toMatchObject({ code: 251 });
      expect(late.hasErrorLabel('TransientTransactionError')).toBe(true);
      session.startTransaction();
      await add('a', 1, session);
      await session.commitTransaction();
      expect(await balance('a')).toBe(11);
    }));

  it('that was a commit is still known after killSessions, and so is a write outside transactions', async () => {
    const lsid = { id: new UUID() };
    const raw = await RawClient.connect();
    const $db = own.db.databaseName;
    const update = { update: 'accounts', updates: [{ q: { _id: 'a' }, u: { $inc: { balance: 1 } } }], $db, lsid };
    const write = { ...update, txnNumber: Long.fromNumber(1) };
    const part = { lsid, txnNumber: Long.fromNumber(2), autocommit: false };
    const kill = () => own.client.db('admin').command({ killSessions: [lsid] });
    expect(await raw.command(write)).toMatchObject({ ok: 1, n: 1 });
    await kill();
    expect(await raw.command(write)).toMatchObject({ ok: 1, n: 1 });
    expect(await raw.command({ ...update, ...part, startTransaction: true })).toMatchObject({ ok: 1 });
    expect(await raw.command({ commitTransaction: 1, ...part, $db: 'admin' })).toMatchObject({ ok: 1 });
    await kill();
    expect(await raw.command({ commitTransaction: 1, ...part, $db: 'admin' })).toMatchObject({ ok: 1 });
    expect(await balance('a')).toBe(12);
    raw.close();
  });
});
