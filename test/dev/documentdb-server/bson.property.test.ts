import { Binary, BSON, Decimal128, Double, Int32, Long, MaxKey, MinKey, ObjectId, Timestamp } from 'bson';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ownDatabase } from './support.js';

const own = ownDatabase('documentdb_bson');

const key = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .filter((text) => !text.includes('\0') && !text.startsWith('$') && !text.includes('.'));
const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((array) => Buffer.from(array));

const scalar = fc.oneof(
  fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')),
  fc.boolean(),
  fc.constant(null),
  fc.integer().map((value) => new Int32(value)),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => Long.fromBigInt(value)),
  fc.double().map((value) => new Double(value)),
  fc.date({ noInvalidDate: true }),
  bytes(12).map((id) => new ObjectId(id)),
  bytes(16).map((value) => new Decimal128(value)),
  fc
    .tuple(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(0, 4, 5, 128))
    .map(([data, type]) => new Binary(Buffer.from(data), type)),
  fc.tuple(fc.nat(), fc.nat()).map(([t, i]) => new Timestamp({ t, i })),
  fc.constantFrom(new MinKey(), new MaxKey()),
);

const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(key, tie('value'), { maxKeys: 5 }),
  ),
}));
const documents = fc
  .dictionary(
    // JavaScript moves integer names to the front, and MongoDB moves `_id` to the front.
    key.filter((name) => name !== '_id' && !/^\d+$/.test(name)),
    value,
    { maxKeys: 8 },
  )
  .map((fields) => ({ _id: new ObjectId(), ...fields }));

describe('any BSON document', () => {
  it('returns unchanged, byte for byte', async () => {
    const things = own.db.collection('things', { raw: true });
    await fc.assert(
      fc.asyncProperty(documents, async (document) => {
        await own.db.collection('things').insertOne(document);
        const found = await things.findOne({ _id: document['_id'] });
        expect(Buffer.from(found as unknown as Buffer).equals(Buffer.from(BSON.serialize(document)))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('returns with _id as the first field', async () => {
    const _id = new ObjectId();
    await own.db.collection('things').insertOne({ 0: 'zero', _id });
    const found = await own.db.collection('things', { raw: true }).findOne({ _id });
    const expected = BSON.serialize(
      new Map<string, unknown>([
        ['_id', _id],
        ['0', 'zero'],
      ]),
    );
    expect(Buffer.from(found as unknown as Buffer).equals(Buffer.from(expected))).toBe(true);
  });

  it('returns unchanged when it has nearly 16 MB', async () => {
    const large = { _id: 1, parts: Array.from({ length: 15 }, (_, index) => `${index}`.padEnd(1024 * 1024, 'å')) };
    large.parts = large.parts.map((part) => part.slice(0, 512 * 1024));
    const things = own.db.collection<typeof large>('large');
    await things.insertOne(large);
    expect(await things.findOne({ _id: 1 })).toEqual(large);
    await things.updateOne({ _id: 1 }, { $set: { 'parts.0': 'small' } });
    expect((await things.findOne({ _id: 1 }))?.parts[0]).toBe('small');
  });

  it('returns unchanged in a reply of many megabytes', async () => {
    const things = own.db.collection<{ _id: number; body: string }>('wide');
    await things.insertMany(
      Array.from({ length: 60 }, (_, _id) => ({ _id, body: String.fromCharCode(65 + (_id % 26)).repeat(1024 * 1024) })),
    );
    const found = await things.find().sort({ _id: 1 }).toArray();
    expect(found).toHaveLength(60);
    expect(
      found.every(
        ({ _id, body }) => body.length === 1024 * 1024 && body.startsWith(String.fromCharCode(65 + (_id % 26))),
      ),
    ).toBe(true);
  });
});
