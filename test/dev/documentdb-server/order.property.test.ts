import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { ownDatabase } from './support.js';

interface Thing {
  _id: number;
  a: string;
  b: string;
  w: number;
}

const own = ownDatabase('documentdb_order');
const things = () => own.db.collection<Thing>('things');
const LETTERS = ['k', 'l', 'm', 'n'];
const all: Thing[] = Array.from({ length: 4_000 }, (_, _id) => ({
  _id,
  a: LETTERS[(_id * 7) % 4] ?? '',
  b: LETTERS[(_id * 13) % 3] ?? '',
  w: (_id * 7919) % 1_009,
}));

beforeAll(async () => {
  await things().createIndex({ a: 1, b: 1, w: 1, _id: 1 });
  await things().insertMany(all);
});

const some = fc.uniqueArray(fc.constantFrom(...LETTERS), { minLength: 1 });

/** A merge of ordered index scans could return documents in a wrong order or twice. */
describe('a page of a sort by a compound index', () => {
  it('equals the result of sorting all documents in memory', async () => {
    const query = fc.record({
      a: some,
      b: some,
      from: fc.nat(1_009),
      limit: fc.integer({ min: 1, max: 900 }),
      down: fc.boolean(),
      batchSize: fc.integer({ min: 2, max: 300 }),
    });
    await fc.assert(
      fc.asyncProperty(query, async ({ a, b, from, limit, down, batchSize }) => {
        const direction = down ? -1 : 1;
        const filter = { a: { $in: a }, b: { $in: b }, w: { $gte: from } };
        const found = await things()
          .find(filter)
          .sort({ w: direction, _id: direction })
          .limit(limit)
          .batchSize(batchSize)
          .toArray();
        const expected = all
          .filter((thing) => a.includes(thing.a) && b.includes(thing.b) && thing.w >= from)
          .sort((one, other) => direction * (one.w - other.w || one._id - other._id))
          .slice(0, limit);
        expect(found.map(({ _id }) => _id)).toEqual(expected.map(({ _id }) => _id));
      }),
      { numRuns: 60 },
    );
  });

  it('continues after the previous page without a gap or a repetition', async () => {
    await fc.assert(
      fc.asyncProperty(some, fc.integer({ min: 1, max: 400 }), async (a, limit) => {
        const read: number[] = [];
        let after: Thing | undefined;
        for (let page = 0; page < 5; page += 1) {
          const keyset =
            after === undefined
              ? {}
              : { w: { $gte: after.w }, $or: [{ w: { $gt: after.w } }, { _id: { $gt: after._id } }] };
          const found = await things()
            .find({ a: { $in: a }, b: 'l', ...keyset })
            .sort({ w: 1, _id: 1 })
            .limit(limit)
            .toArray();
          read.push(...found.map(({ _id }) => _id));
          after = found.at(-1) ?? after;
        }
        const expected = all
          .filter((thing) => a.includes(thing.a) && thing.b === 'l')
          .sort((one, other) => one.w - other.w || one._id - other._id);
        expect(read).toEqual(expected.slice(0, limit * 5).map(({ _id }) => _id));
      }),
      { numRuns: 15 },
    );
  });
});
