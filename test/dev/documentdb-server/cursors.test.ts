import { describe, expect, it, beforeAll } from 'vitest';
import { ownDatabase, rejection } from './support.js';

const DOCUMENTS = 12_345;
const own = ownDatabase('documentdb_cursors');
const things = () => own.db.collection<{ _id: number; group: number; body: string }>('things');

beforeAll(async () => {
  const documents = Array.from({ length: DOCUMENTS }, (_, index) => ({
    _id: index,
    group: index % 7,
    body: 'x'.repeat(100),
  }));
  await things().insertMany(documents);
});

describe('a cursor', () => {
  it.each([1000, 97, 12_344, 12_345, 12_346])('reads every document once in batches of %i', async (batchSize) => {
    const found = await things()
      .find({}, { projection: { _id: 1 } })
      .batchSize(batchSize)
      .toArray();
    expect(new Set(found.map(({ _id }) => _id)).size).toBe(DOCUMENTS);
    expect(found).toHaveLength(DOCUMENTS);
  });

  it('reads every document once in batches of one', async () => {
    const found = await things()
      .find({ _id: { $lt: 40 } })
      .batchSize(1)
      .toArray();
    expect(found).toHaveLength(40);
  });

  it('keeps the sort order across batches, with and without an index', async () => {
    const expected = Array.from({ length: DOCUMENTS }, (_, index) => index).sort((a, b) => (b % 7) - (a % 7) || a - b);
    const unindexed = await things().find().sort({ group: -1, _id: 1 }).batchSize(999).toArray();
    expect(unindexed.map(({ _id }) => _id)).toEqual(expected);
    await things().createIndex({ group: -1, _id: 1 });
    const indexed = await things()
      .find({ group: { $gte: 0 } })
      .sort({ group: -1, _id: 1 })
      .batchSize(999)
      .toArray();
    expect(indexed.map(({ _id }) => _id)).toEqual(expected);
  });

  it('applies skip and limit across batches', async () => {
    const found = await things().find().sort({ _id: 1 }).skip(10).limit(2_500).batchSize(300).toArray();
    expect(found.map(({ _id }) => _id)).toEqual(Array.from({ length: 2_500 }, (_, index) => index + 10));
    expect(await things().find().sort({ group: 1, _id: -1 }).limit(3).toArray()).toHaveLength(3);
  });

  it('reads an aggregate in batches', async () => {
    const pipeline = [
      { $match: { group: { $ne: 3 } } },
      { $group: { _id: '$_id', n: { $sum: 1 } } },
      { $sort: { _id: 1 } },
    ];
    const found = await things().aggregate(pipeline, { batchSize: 501 }).toArray();
    expect(found).toHaveLength(
      Array.from({ length: DOCUMENTS }, (_, index) => index % 7).filter((group) => group !== 3).length,
    );
  });

  it('does not exist after it is killed', async () => {
    const cursor = things().find().sort({ body: 1, _id: 1 }).batchSize(10);
    await cursor.next();
    const id = cursor.id;
    await cursor.close();
    const error = await rejection(own.db.command({ getMore: id, collection: 'things' }));
    expect(error).toMatchObject({ code: 43, codeName: 'CursorNotFound' });
  });

  it('reads in its transaction and closes when the transaction ends', async () => {
    const session = own.client.startSession();
    session.startTransaction();
    await things().insertOne({ _id: -1, group: 99, body: '' }, { session });
    const cursor = things().find({}, { session }).sort({ _id: 1 }).batchSize(500);
    expect((await cursor.next())?._id).toBe(-1);
    let read = 1;
    for (let page = 0; page < 600; page += 1) if ((await cursor.next()) !== null) read += 1;
    expect(read).toBe(601);
    await session.abortTransaction();
    expect(await rejection(cursor.toArray())).toBeInstanceOf(Error);
    await session.endSession();
    expect(await things().countDocuments({ _id: -1 })).toBe(0);
  });

  it('reads only its own documents while a hundred others are open', async () => {
    const counts = await Promise.all(
      Array.from({ length: 100 }, async (_, group) => {
        const found = await things()
          .find({ group: group % 7 })
          .sort({ body: 1, _id: 1 })
          .batchSize(400)
          .toArray();
        return found.every((thing) => thing.group === group % 7) ? found.length : -1;
      }),
    );
    expect(counts.every((count) => count >= Math.floor(DOCUMENTS / 7))).toBe(true);
  });
});

describe('a cursor without a sort', () => {
  const COUNT = 300;
  const moving = () => own.db.collection<{ _id: number; n: number; group: number; pad: string }>('moving');
  beforeAll(async () => {
    const documents = Array.from({ length: COUNT }, (_, _id) => ({ _id, n: 0, group: 1, pad: 'x'.repeat(500) }));
    await moving().insertMany(documents);
    await moving().createIndex({ group: 1, n: 1 });
  });

  it.each([
    ['find of all', () => moving().find({}, { batchSize: 50 })],
    ['find by an index', () => moving().find({ group: 1 }, { batchSize: 50 })],
    ['aggregate', () => moving().aggregate([{ $match: { group: 1 } }, { $project: { n: 1 } }], { batchSize: 50 })],
  ] as const)('returns each document once while documents are updated: %s', async (_name, read) => {
    const found: unknown[] = [];
    for await (const { _id } of read()) {
      found.push(_id);
      await moving().updateOne({ _id: _id as number }, { $inc: { n: 1 } });
      if (found.length > 2 * COUNT) break;
    }
    expect(new Set(found).size).toBe(COUNT);
    expect(found).toHaveLength(COUNT);
  });
});

describe('a count', () => {
  it('is exact immediately after a write, with and without filter and limit', async () => {
    const fresh = own.db.collection<{ _id: number }>('fresh');
    await fresh.insertMany(Array.from({ length: 50 }, (_, index) => ({ _id: index })));
    expect(await fresh.estimatedDocumentCount()).toBe(50);
    await fresh.deleteMany({ _id: { $lt: 10 } });
    expect(await fresh.estimatedDocumentCount()).toBe(40);
    expect(await fresh.countDocuments()).toBe(40);
    expect(await fresh.countDocuments({ _id: { $gte: 20 } }, { limit: 7 })).toBe(7);
    expect(await fresh.countDocuments({}, { skip: 35 })).toBe(5);
    expect((await own.db.command({ count: 'fresh', query: { _id: { $lt: 15 } } }))['n']).toBe(5);
    expect(await fresh.distinct('_id', { _id: { $lt: 13 } })).toEqual([10, 11, 12]);
  });
});
