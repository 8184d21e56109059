import { beforeEach, describe, expect, it } from 'vitest';
import { ownDatabase } from './support.js';

interface Conversation {
  _id: number;
  n: number;
  log: { at: number; by?: string }[];
  tags?: string[];
  total?: number;
  note?: string;
}

const own = ownDatabase('documentdb_updates');
const conversations = () => own.db.collection<Conversation>('conversations');
const conversation = (_id: number) => conversations().findOne({ _id });

beforeEach(async () => {
  await conversations().deleteMany({});
  await conversations().insertMany([1, 2, 3].map((_id) => ({ _id, n: _id, log: [{ at: 1 }, { at: 2 }] })));
});

describe('an update', () => {
  it('with a pipeline appends to an array and keeps its last elements, in many documents', async () => {
    const appended = { $concatArrays: ['$log', [{ at: 3, by: 'ann' }]] };
    const result = await conversations().updateMany({ n: { $gte: 2 } }, [
      { $set: { log: { $slice: [appended, -2] }, total: { $add: ['$n', 10] } } },
    ]);
    expect(result).toMatchObject({ matchedCount: 2, modifiedCount: 2 });
    expect(await conversation(2)).toEqual({ _id: 2, n: 2, log: [{ at: 2 }, { at: 3, by: 'ann' }], total: 12 });
    expect((await conversation(1))?.log).toHaveLength(2);
  });

  it('with $push, $each and $slice works in a bulkWrite in a transaction', async () => {
    const session = own.client.startSession();
    await session.withTransaction(async () => {
      const result = await conversations().bulkWrite(
        [1, 2, 3].map((n) => ({
          updateMany: {
            filter: { n, _id: { $in: [1, 2, 3] } },
            update: { $push: { log: { $each: [{ at: 3 }, { at: 4 }], $slice: -3 } }, $inc: { n: 10 } },
          },
        })),
        { session, ordered: false },
      );
      expect(result).toMatchObject({ matchedCount: 3, modifiedCount: 3 });
    });
    await session.endSession();
    const found = await conversations().find().sort({ _id: 1 }).toArray();
    expect(found.map(({ n }) => n)).toEqual([11, 12, 13]);
    expect(found.every(({ log }) => log.map(({ at }) => at).join() === '2,3,4')).toBe(true);
  });

  it('counts matched and modified documents separately', async () => {
    expect(await conversations().updateMany({}, { $set: { n: 1 } })).toMatchObject({
      matchedCount: 3,
      modifiedCount: 2,
    });
    expect(await conversations().updateOne({ _id: 99 }, { $set: { n: 1 } })).toMatchObject({
      matchedCount: 0,
      modifiedCount: 0,
    });
  });

  it('with upsert returns the new _id', async () => {
    const result = await conversations().updateOne(
      { _id: 50 },
      { $set: { n: 5 }, $setOnInsert: { log: [] } },
      { upsert: true },
    );
    expect(result).toMatchObject({ matchedCount: 0, upsertedCount: 1, upsertedId: 50 });
    expect(await conversation(50)).toEqual({ _id: 50, n: 5, log: [] });
  });

  it('changes array elements by array filters and by position', async () => {
    await conversations().updateOne(
      { _id: 1 },
      { $set: { 'log.$[old].by': 'bob' } },
      { arrayFilters: [{ 'old.at': { $lt: 2 } }] },
    );
    await conversations().updateOne({ _id: 1, 'log.at': 2 }, { $set: { 'log.$.by': 'eve' } });
    expect((await conversation(1))?.log).toEqual([
      { at: 1, by: 'bob' },
      { at: 2, by: 'eve' },
    ]);
  });

  it('supports $addToSet, $pull, $unset, $rename, $min and $max', async () => {
    await conversations().updateOne({ _id: 1 }, { $addToSet: { tags: { $each: ['a', 'b', 'a'] } }, $min: { n: -1 } });
    await conversations().updateOne({ _id: 1 }, { $pull: { tags: 'a' }, $rename: { n: 'total' } });
    expect(await conversation(1)).toMatchObject({ tags: ['b'], total: -1 });
    await conversations().updateOne({ _id: 1 }, { $unset: { tags: '' }, $max: { total: 7 } });
    expect(await conversation(1)).toEqual({ _id: 1, log: [{ at: 1 }, { at: 2 }], total: 7 });
  });
});

describe('findOneAndUpdate', () => {
  it('returns each document to only one of several concurrent callers', async () => {
    const claims = await Promise.all(
      Array.from({ length: 5 }, (_, by) =>
        conversations().findOneAndUpdate(
          { note: { $exists: false } },
          { $set: { note: `t${by}` } },
          { sort: { _id: 1 }, returnDocument: 'after' },
        ),
      ),
    );
    const found = claims.filter((claim) => claim !== null).map(({ _id }) => _id);
    expect(new Set(found).size).toBe(found.length);
    expect(found.length).toBeLessThanOrEqual(3);
    expect(await conversations().countDocuments({ note: { $exists: true } })).toBe(found.length);
  });

  it('returns the document before or after the change, and null when no document matches', async () => {
    expect(await conversations().findOneAndUpdate({ _id: 1 }, { $inc: { n: 1 } }, { projection: { n: 1 } })).toEqual({
      _id: 1,
      n: 1,
    });
    expect(await conversations().findOneAndDelete({ _id: 2 })).toMatchObject({ _id: 2, n: 2 });
    expect(await conversations().findOneAndUpdate({ _id: 2 }, { $inc: { n: 1 } })).toBeNull();
    expect(await conversations().findOneAndReplace({ _id: 3 }, { n: 0, log: [] }, { returnDocument: 'after' })).toEqual(
      {
        _id: 3,
        n: 0,
        log: [],
      },
    );
  });
});

describe('bulkWrite', () => {
  it('runs thousands of statements of each kind', async () => {
    const inserts = Array.from({ length: 3_000 }, (_, index) => ({
      insertOne: { document: { _id: 1000 + index, n: index, log: [] } },
    }));
    expect((await conversations().bulkWrite(inserts)).insertedCount).toBe(3_000);
    const updates = Array.from({ length: 3_000 }, (_, index) => ({
      updateOne: { filter: { _id: 1000 + index }, update: { $inc: { n: 1 } } },
    }));
    expect((await conversations().bulkWrite(updates, { ordered: false })).modifiedCount).toBe(3_000);
    const deletes = Array.from({ length: 3_000 }, (_, index) => ({ deleteOne: { filter: { _id: 1000 + index } } }));
    expect((await conversations().bulkWrite(deletes, { ordered: false })).deletedCount).toBe(3_000);
  });
});
