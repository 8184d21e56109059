import { beforeEach, describe, expect, it } from 'vitest';
import { ownDatabase, rejection } from './support.js';

const own = ownDatabase('documentdb_errors');
interface Thing {
  _id: number;
  owner?: string;
  slot?: number;
  n?: unknown;
}
const things = () => own.db.collection<Thing>('things');

beforeEach(async () => {
  await things().drop();
  await things().createIndex(
    { owner: 1, slot: 1 },
    { unique: true, partialFilterExpression: { owner: { $exists: true } } },
  );
  await things().insertMany([
    { _id: 1, owner: 'ann', slot: 1 },
    { _id: 2, owner: 'ann', slot: 2 },
    { _id: 3 },
    { _id: 4 },
  ]);
});

describe('a duplicate key error', () => {
  it('of an insert names the index, the key and the value', async () => {
    const error = await rejection(things().insertOne({ _id: 9, owner: 'ann', slot: 1 }));
    expect(error).toMatchObject({
      code: 11000,
      keyPattern: { owner: 1, slot: 1 },
      keyValue: { owner: 'ann', slot: 1 },
    });
    expect(error.message).toMatch(
      /^E11000 duplicate key error collection: documentdb_errors_\w+\.things index: owner_1_slot_1 dup key/,
    );
  });

  it('of an _id names the index, the key and the value', async () => {
    expect(await rejection(things().insertOne({ _id: 1 }))).toMatchObject({
      code: 11000,
      keyPattern: { _id: 1 },
      keyValue: { _id: 1 },
    });
  });

  it('stops an ordered insertMany at the failed document', async () => {
    const error = await rejection(things().insertMany([{ _id: 10 }, { _id: 1 }, { _id: 11 }]));
    expect(error).toMatchObject({ code: 11000, insertedCount: 1, writeErrors: [{ index: 1, code: 11000 }] });
    expect(await things().countDocuments({ _id: { $gte: 10 } })).toBe(1);
  });

  it('is reported for each failed statement of an unordered bulkWrite, and the other statements succeed', async () => {
    const operations = [
      { insertOne: { document: { _id: 1 } } },
      { insertOne: { document: { _id: 20 } } },
      { insertOne: { document: { _id: 21, owner: 'ann', slot: 2 } } },
      { updateOne: { filter: { _id: 3 }, update: { $set: { owner: 'ann', slot: 1 } } } },
      { updateOne: { filter: { _id: 4 }, update: { $set: { owner: 'bob', slot: 1 } } } },
    ];
    const error = await rejection(things().bulkWrite(operations, { ordered: false }));
    const failed = (error['writeErrors'] as { index: number; code: number }[]).map(({ index, code }) => [index, code]);
    expect(failed).toEqual([
      [0, 11000],
      [2, 11000],
      [3, 11000],
    ]);
    expect(error).toMatchObject({ insertedCount: 1, modifiedCount: 1 });
  });

  it('of a findOneAndUpdate names the index, the key and the value', async () => {
    const error = await rejection(things().findOneAndUpdate({ _id: 3 }, { $set: { owner: 'ann', slot: 1 } }));
    expect(error).toMatchObject({
      code: 11000,
      codeName: 'DuplicateKey',
      keyPattern: { owner: 1, slot: 1 },
      keyValue: { owner: 'ann', slot: 1 },
    });
  });

  it('does not occur for documents outside the filter of a partial index', async () => {
    await things().insertMany([
      { _id: 30, slot: 1 },
      { _id: 31, slot: 1 },
    ]);
    expect(await things().countDocuments({ slot: 1 })).toBe(3);
  });

  it('leaves one document after many concurrent upserts of one key', async () => {
    const upserts = Array.from({ length: 40 }, () =>
      things()
        .updateOne({ owner: 'zoe', slot: 7 }, { $setOnInsert: { n: 1 } }, { upsert: true })
        .catch((error: unknown) => error),
    );
    for (const outcome of await Promise.all(upserts))
      if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 11000 });
    expect(await things().countDocuments({ owner: 'zoe' })).toBe(1);
  });
});

describe('an error has the code of MongoDB:', () => {
  it.each([
    ['an unknown command', () => own.db.command({ noSuchThing: 1 }), 59, 'CommandNotFound'],
    ['an unknown operator in a filter', () => things().findOne({ $noSuch: 1 } as never), 2, 'BadValue'],
    [
      'an unknown stage',
      () =>
        things()
          .aggregate([{ $noSuch: {} }])
          .toArray(),
      40324,
      'Location40324',
    ],
    [
      'a rename of a missing collection',
      () => own.client.db('admin').command({ renameCollection: `${own.name}.nope`, to: `${own.name}.b` }),
      26,
      'NamespaceNotFound',
    ],
    ['a missing index', () => things().dropIndex('nope'), 27, 'IndexNotFound'],
    [
      'another index with an existing name',
      () => things().createIndex({ n: 1 }, { name: 'owner_1_slot_1' }),
      86,
      'IndexKeySpecsConflict',
    ],
  ])('%s', async (_name, run, code, codeName) => {
    expect(await rejection(run())).toMatchObject({ code, codeName });
  });

  it.each([
    ['an unknown modifier', { $noSuch: { n: 1 } }, 9],
    ['a change of the _id', { $set: { _id: 99 } }, 66],
    ['a $push to a field that is not an array', { $push: { owner: 'x' } }, 2],
    ['an $inc of a field that is not a number', { $inc: { owner: 1 } }, 14],
    ['two operators on one path', { $set: { n: 1 }, $inc: { n: 1 } }, 40],
  ])('an update with %s', async (_name, update, code) => {
    expect(await rejection(things().updateOne({ _id: 1 }, update as never))).toMatchObject({ code });
    const bulk = await rejection(
      things().bulkWrite([{ updateOne: { filter: { _id: 1 }, update: update as never } }], { ordered: false }),
    );
    expect(bulk).toMatchObject({ code, writeErrors: [{ index: 0, code }] });
  });

  it('a document of more than 16 MB is refused', async () => {
    const huge = { _id: 50, n: Array.from({ length: 17 }, () => 'x'.repeat(1024 * 1024)) };
    expect(await rejection(things().insertOne(huge))).toBeInstanceOf(Error);
    expect(await things().countDocuments({ _id: 50 })).toBe(0);
  });
});

describe('maxTimeMS', () => {
  const slow = Array.from({ length: 12 }, () => 'x'.repeat(28)).join('');

  beforeEach(async () => {
    await things().insertMany(Array.from({ length: 20_000 }, (_, index) => ({ _id: 1000 + index, n: slow })));
  });

  const pattern = { n: /(x+x+)+y/ };
  it.each([
    ['a find', () => things().find(pattern, { maxTimeMS: 5 }).toArray()],
    ['a count', () => things().countDocuments(pattern, { maxTimeMS: 5 })],
    [
      'an aggregate',
      () =>
        things()
          .aggregate([{ $match: pattern }, { $group: { _id: '$n' } }], { maxTimeMS: 5 })
          .toArray(),
    ],
    ['an update', () => things().updateMany(pattern, { $set: { n: 1 } }, { maxTimeMS: 5 })],
    ['a findOneAndUpdate', () => things().findOneAndUpdate(pattern, { $set: { n: 1 } }, { maxTimeMS: 5 })],
    ['a distinct', () => things().distinct('n', pattern, { maxTimeMS: 5 })],
  ])('ends %s that takes longer than maxTimeMS', async (_name, run) => {
    expect(await rejection(run())).toMatchObject({ code: 50, codeName: 'MaxTimeMSExpired' });
  });

  it('does not apply to the next command, even in a transaction', async () => {
    const session = own.client.startSession();
    await session.withTransaction(async () => {
      await things().findOne({ _id: 1 }, { maxTimeMS: 50, session });
      expect(await things().countDocuments({ n: /^y|z$/ }, { session })).toBe(0);
      await things().updateMany({ _id: { $gte: 1000 } }, { $set: { n: 1 } }, { session });
    });
    await session.endSession();
    expect(await things().countDocuments({ n: 1 })).toBe(20_000);
  });
});
