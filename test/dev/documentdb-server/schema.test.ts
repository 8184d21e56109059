import mongoose from 'mongoose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mongoUri, ownDatabase } from './support.js';

const own = ownDatabase('documentdb_schema');

describe('indexes', () => {
  it('exist when createIndexes replies and are listed with their options', async () => {
    const things = own.db.collection('things');
    await things.insertMany(Array.from({ length: 5_000 }, (_, index) => ({ a: index % 10, b: index })));
    await things.createIndexes([
      { key: { a: 1, b: -1 }, name: 'ab' },
      { key: { b: 1 }, unique: true },
      { key: { c: 1 }, name: 'some', partialFilterExpression: { a: { $gt: 5 } } },
    ]);
    const indexes = await things.indexes();
    expect(indexes.map(({ name }) => name).sort()).toEqual(['_id_', 'ab', 'b_1', 'some']);
    expect(indexes.find(({ name }) => name === 'ab')?.key).toEqual({ a: 1, b: -1 });
    expect(indexes.find(({ name }) => name === 'b_1')).toMatchObject({ unique: true });
    expect(indexes.find(({ name }) => name === 'some')).toMatchObject({ partialFilterExpression: { a: { $gt: 5 } } });
    await things.createIndex({ a: 1, b: -1 }, { name: 'ab' });
    await things.dropIndex('ab');
    await things.dropIndexes();
    expect((await things.indexes()).map(({ name }) => name)).toEqual(['_id_']);
  });
});

describe('collections and databases', () => {
  it('are created, listed, renamed and dropped', async () => {
    await own.db.createCollection('first');
    await own.db.collection('first').insertOne({ n: 1 });
    await own.db.collection('first').rename('second');
    const names = (await own.db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name);
    expect(names).toContain('second');
    expect(names).not.toContain('first');
    expect(await own.db.listCollections({ name: 'second' }).toArray()).toHaveLength(1);
    await own.db.collection('second').drop();
    await own.db.collection('second').drop();
    const { databases } = await own.db.admin().listDatabases({ nameOnly: true });
    expect(databases.map(({ name }) => name)).toContain(own.name);
  });

  it('have statistics and support validators', async () => {
    const things = own.db.collection('measured');
    await own.db.createCollection('measured', { validator: { n: { $type: 'number' } } });
    await things.insertOne({ n: 1 });
    await expect(things.insertOne({ n: 'one' })).rejects.toMatchObject({ code: 121 });
    await own.db.command({ collMod: 'measured', validator: {} });
    await things.insertOne({ n: 'one' });
    expect(await own.db.stats()).toMatchObject({ ok: 1, db: own.name });
    expect(await own.db.command({ collStats: 'measured' })).toMatchObject({ ok: 1, ns: `${own.name}.measured` });
    expect(await own.db.command({ validate: 'measured' })).toMatchObject({ valid: true });
  });
});

describe('the server', () => {
  it.each([
    'ping',
    'buildInfo',
    'serverStatus',
    'hostInfo',
    'connectionStatus',
    'hello',
    'replSetGetStatus',
    'currentOp',
  ])('replies to %s', async (name) => {
    expect(await own.client.db('admin').command({ [name]: 1 })).toMatchObject({ ok: 1 });
  });

  it('reports itself as the primary of a replica set, so that drivers use transactions', async () => {
    const hello = await own.client.db('admin').command({ hello: 1 });
    expect(hello).toMatchObject({
      isWritablePrimary: true,
      setName: expect.any(String) as string,
      logicalSessionTimeoutMinutes: 30,
    });
    expect(hello['me']).toBe(hello['primary']);
  });
});

describe('mongoose', () => {
  const connection = mongoose.createConnection();
  const schema = new mongoose.Schema(
    {
      email: { type: String, unique: true },
      visits: [{ at: Date }],
      bestFriend: { type: mongoose.Schema.Types.ObjectId, ref: 'Person' },
    },
    { timestamps: true, optimisticConcurrency: true },
  );
  const Person = connection.model('Person', schema);

  beforeAll(async () => {
    await connection.openUri(mongoUri(), { dbName: own.name });
    await Person.init();
  });
  afterAll(() => connection.close());

  it('saves, populates, checks versions and reports duplicates', async () => {
    const ann = await Person.create({ email: 'ann@example.org', visits: [{ at: new Date(0) }] });
    await Person.create({ email: 'bob@example.org', bestFriend: ann._id });
    const bob = await Person.findOne({ email: 'bob@example.org' })
      .populate<{ bestFriend: { email: string } }>('bestFriend')
      .orFail();
    expect(bob.bestFriend.email).toBe('ann@example.org');
    await expect(Person.create({ email: 'ann@example.org' })).rejects.toMatchObject({ code: 11000 });
    const same = await Person.findById(ann._id).orFail();
    ann.visits.push({ at: new Date(1) });
    await ann.save();
    same.visits.push({ at: new Date(2) });
    await expect(same.save()).rejects.toThrow(mongoose.Error.VersionError);
  });

  it('reads with a cursor and runs transactions', async () => {
    const emails = Array.from({ length: 2_500 }, (_, index) => ({ email: `p${index}@example.org` }));
    await connection.transaction(async (session) => {
      await Person.insertMany(emails, { session });
      await Person.updateMany({ email: /^p1\d\d\d@/ }, { $push: { visits: { at: new Date(3) } } }, { session });
    });
    let read = 0;
    for await (const person of Person.find({ email: /^p/ }).sort({ email: 1 }).lean().cursor({ batchSize: 101 }))
      read += person.email === undefined ? 0 : 1;
    expect(read).toBe(2_500);
    expect(await Person.countDocuments({ 'visits.at': new Date(3) })).toBe(1_000);
  });
});
