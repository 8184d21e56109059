import { setTimeout as sleep } from 'node:timers/promises';
import type { mongo } from 'mongoose';
import { beforeEach, describe, expect, it } from 'vitest';
import { ownDatabase, rejection } from './support.js';

interface Account {
  _id: string;
  balance: number;
  email?: string;
}

/** A statement that waited for the open transaction would take longer than this. */
const HOLD_MS = 2_500;
const AT_ONCE_MS = 1_000;
const BATCH = 2_000;
const own = ownDatabase('documentdb_conflicts');
const accounts = () => own.db.collection<Account>('accounts');
const balance = async (id: string) => (await accounts().findOne({ _id: id }))?.balance;

beforeEach(async () => {
  await accounts().drop();
  await accounts().insertMany(['a', 'b', 'c'].map((_id) => ({ _id, balance: 10 })));
});

/** Runs `body` beside an open transaction that has run `write`, and commits the transaction afterwards. */
async function besideTransaction(
  write: (session: mongo.ClientSession) => Promise<unknown>,
  body: (holder: mongo.ClientSession) => Promise<void>,
): Promise<void> {
  await own.client.withSession(async (holder) => {
    holder.startTransaction();
    await write(holder);
    await body(holder);
    if (holder.inTransaction()) await holder.commitTransaction();
  });
}

/** Returns the error of a write in a transaction of its own, and the time until the error. */
async function failedWrite(write: (session: mongo.ClientSession) => Promise<unknown>) {
  return own.client.withSession(async (session) => {
    session.startTransaction();
    await accounts().findOne({ _id: 'c' }, { session });
    const startedAt = performance.now();
    const error = await rejection(write(session));
    const afterMs = performance.now() - startedAt;
    await session.abortTransaction();
    return { code: error.code, isTransient: error.hasErrorLabel('TransientTransactionError'), afterMs };
  });
}

const conflict = { code: 112, isTransient: true };
const add = (session?: mongo.ClientSession) =>
  accounts().updateOne({ _id: 'a' }, { $inc: { balance: 1 } }, session === undefined ? {} : { session });

describe('in a transaction, a write fails with a transient WriteConflict without waiting', () => {
  it.each<[string, (session: mongo.ClientSession) => Promise<unknown>]>([
    ['updateOne', (session) => add(session)],
    ['updateMany', (session) => accounts().updateMany({}, { $inc: { balance: 1 } }, { session })],
    ['deleteOne', (session) => accounts().deleteOne({ _id: 'a' }, { session })],
    ['findOneAndUpdate', (session) => accounts().findOneAndUpdate({ _id: 'a' }, { $inc: { balance: 1 } }, { session })],
    [
      'bulkWrite',
      (session) =>
        accounts().bulkWrite(
          ['b', 'a'].map((_id) => ({ updateOne: { filter: { _id }, update: { $inc: { balance: 1 } } } })),
          { session, ordered: false },
        ),
    ],
  ])('%s of a document that another open transaction has written', (_name, write) =>
    besideTransaction(add, async () => {
      const failure = await failedWrite(write);
      expect(failure).toMatchObject(conflict);
      expect(failure.afterMs).toBeLessThan(AT_ONCE_MS);
    }),
  );

  it('when a plain write already waits for the same document', () =>
    besideTransaction(add, async (holder) => {
      const waiting = [add(), add()];
      await sleep(100);
      const failure = await failedWrite(add);
      expect(failure).toMatchObject(conflict);
      expect(failure.afterMs).toBeLessThan(AT_ONCE_MS);
      await holder.commitTransaction();
      await Promise.all(waiting);
      expect(await balance('a')).toBe(13);
    }));

  it('when another open transaction has inserted the same _id', () =>
    besideTransaction(
      (session) => accounts().insertOne({ _id: 'new', balance: 1 }, { session }),
      async () => {
        const failure = await failedWrite((session) => accounts().insertOne({ _id: 'new', balance: 2 }, { session }));
        expect(failure).toMatchObject(conflict);
      },
    ));

  it('when another open transaction has inserted the same key of a unique index', async () => {
    await accounts().createIndex(
      { email: 1 },
      { unique: true, partialFilterExpression: { email: { $type: 'string' } } },
    );
    const insert = (_id: string) => (session: mongo.ClientSession) =>
      accounts().insertOne({ _id, balance: 1, email: 'ann@example.org' }, { session });
    await besideTransaction(insert('first'), async () => {
      expect(await failedWrite(insert('second'))).toMatchObject(conflict);
    });
  });

  it('when the document was changed after the snapshot, and also when it was deleted', async () => {
    const changedLater = (change: () => Promise<unknown>) =>
      failedWrite(async (session) => {
        await change();
        await accounts().updateMany({ _id: 'a' }, { $inc: { balance: 1 } }, { session });
      });
    expect(await changedLater(() => add())).toMatchObject(conflict);
    expect(await changedLater(() => accounts().deleteOne({ _id: 'a' }))).toMatchObject(conflict);
  });

  it('when a document with the same _id was inserted after the snapshot', async () => {
    const failure = await failedWrite(async (session) => {
      await accounts().insertOne({ _id: 'new', balance: 1 });
      await accounts().insertOne({ _id: 'new', balance: 2 }, { session });
    });
    expect(failure).toMatchObject(conflict);
  });

  it('but reports a duplicate key when the document existed at the time of the snapshot', async () => {
    expect(await failedWrite((session) => accounts().insertOne({ _id: 'b', balance: 2 }, { session }))).toMatchObject({
      code: 11_000,
      isTransient: false,
    });
  });
});

describe('a write outside transactions waits for an open transaction for seconds and then succeeds', () => {
  it.each<[string, () => Promise<unknown>]>([
    ['updateOne', () => add()],
    ['updateMany', () => accounts().updateMany({}, { $inc: { balance: 1 } })],
    ['findOneAndUpdate', () => accounts().findOneAndUpdate({ _id: 'a' }, { $inc: { balance: 1 } })],
  ])('%s', (_name, write) =>
    besideTransaction(add, async (holder) => {
      let hasEnded = false;
      const waiting = write().finally(() => (hasEnded = true));
      await sleep(HOLD_MS);
      expect(hasEnded).toBe(false);
      await holder.commitTransaction();
      await waiting;
      expect(await balance('a')).toBe(12);
    }),
  );

  it('an insert of the same _id, which then is a duplicate', () =>
    besideTransaction(
      (session) => accounts().insertOne({ _id: 'new', balance: 1 }, { session }),
      async (holder) => {
        const waiting = rejection(accounts().insertOne({ _id: 'new', balance: 2 }));
        await sleep(100);
        await holder.commitTransaction();
        expect(await waiting).toMatchObject({ code: 11_000 });
      },
    ));
});

describe('writers that share no document', () => {
  it('never conflict in transactions, however much they insert, update and index at the same time', async () => {
    await accounts().createIndex({ balance: 1, _id: 1 });
    const ids = (writer: number) => Array.from({ length: BATCH }, (_, index) => `${writer}-${index}`);
    const attempts: number[] = await Promise.all(
      Array.from({ length: 12 }, async (_, writer) => {
        let attempts = 0;
        await own.client.withSession((session) =>
          session.withTransaction(async () => {
            attempts += 1;
            await accounts().insertMany(
              ids(writer).map((_id) => ({ _id, balance: 1, email: 'x'.repeat(200) })),
              { session },
            );
            await accounts().updateMany({ _id: { $in: ids(writer) } }, { $inc: { balance: writer } }, { session });
          }),
        );
        return attempts;
      }),
    );
    expect(attempts).toEqual(attempts.map(() => 1));
  });
});

describe('batches outside transactions', () => {
  it('end without an error beside transactions that write the same documents in the opposite order', async () => {
    const ids = Array.from({ length: 30 }, (_, index) => `k${index}`);
    await accounts().insertMany(ids.map((_id) => ({ _id, balance: 0 })));
    const updates = (order: string[]) =>
      order.map((_id) => ({ updateOne: { filter: { _id }, update: { $inc: { balance: 1 } } } }));
    const plain = Array.from({ length: 10 }, () => accounts().bulkWrite(updates(ids), { ordered: false }));
    const transactions = Array.from({ length: 10 }, () =>
      own.client.withSession((session) =>
        session.withTransaction(async () => {
          for (const write of updates([...ids].reverse())) await accounts().bulkWrite([write], { session });
        }),
      ),
    );
    await Promise.all([...plain, ...transactions]);
    expect(await accounts().distinct('balance', { _id: /^k/ })).toEqual([20]);
  });
});
