import { Timestamp, type Document } from 'bson';
import { mongo } from 'mongoose';
import { beforeEach, describe, expect, it } from 'vitest';
import { mongoUri, ownDatabase, rejection } from './support.js';

interface Thing {
  _id: number;
  n: number;
}

const own = ownDatabase('documentdb_snapshots');
const things = () => own.db.collection<Thing>('things');

beforeEach(async () => {
  await things().deleteMany({});
  await things().insertMany([1, 2, 3].map((_id) => ({ _id, n: 0 })));
});

describe('a reply', () => {
  it('contains a cluster time that grows, also when the command fails', async () => {
    const first = await own.db.command({ ping: 1 });
    const second = await own.db.command({ ping: 1 });
    const time = (reply: Document) => (reply['$clusterTime'] as { clusterTime: Timestamp }).clusterTime;
    expect(first['operationTime']).toMatchObject({ _bsontype: 'Timestamp' });
    expect(time(second).greaterThan(time(first))).toBe(true);
    const error = await rejection(own.db.command({ unknown: 1 }));
    expect((error as unknown as { errorResponse: Document }).errorResponse['operationTime']).toMatchObject({
      _bsontype: 'Timestamp',
    });
  });

  it('lets a causally consistent session read its own writes', () =>
    own.client.withSession({ causalConsistency: true }, async (session) => {
      await things().updateOne({ _id: 1 }, { $set: { n: 5 } }, { session });
      expect((await things().findOne({ _id: 1 }, { session }))?.n).toBe(5);
      expect(session.operationTime).toMatchObject({ _bsontype: 'Timestamp' });
    }));
});

describe('a snapshot session', () => {
  it('reads one moment with find, aggregate and distinct while other clients write', () =>
    own.client.withSession({ snapshot: true }, async (session) => {
      expect(await things().find({}, { session }).toArray()).toHaveLength(3);
      await things().updateMany({}, { $set: { n: 1 } });
      await things().insertOne({ _id: 4, n: 1 });
      expect(await things().countDocuments({}, { session })).toBe(3);
      expect(await things().distinct('n', {}, { session })).toEqual([0]);
      expect(await things().distinct('n')).toEqual([1]);
    }));

  it('sends the time of its first reply with later commands', async () => {
    const client = new mongo.MongoClient(mongoUri(), { monitorCommands: true });
    const sent: Document[] = [];
    client.on('commandStarted', ({ command }) => sent.push(command));
    await client.withSession({ snapshot: true }, async (session) => {
      const collection = client.db(own.db.databaseName).collection('things');
      await collection.find({}, { session }).toArray();
      await collection.find({}, { session }).toArray();
    });
    await client.close();
    const concerns = sent.filter(({ find }) => find !== undefined).map(({ readConcern }) => readConcern as Document);
    expect(concerns[0]).not.toHaveProperty('atClusterTime');
    expect(concerns[1]?.['atClusterTime']).toMatchObject({ _bsontype: 'Timestamp' });
  });

  it('does not keep other clients from dropping the collection', () =>
    own.client.withSession({ snapshot: true }, async (session) => {
      await things().findOne({}, { session });
      await things().drop();
      expect(await rejection(things().findOne({}, { session }))).toMatchObject({ code: 239 });
    }));

  it('keeps its moment while another database is dropped', () =>
    own.client.withSession({ snapshot: true }, async (session) => {
      await things().findOne({}, { session });
      const other = own.client.db(`${own.db.databaseName}_other`);
      await other.collection('things').insertOne({ n: 0 });
      await things().updateMany({}, { $set: { n: 1 } });
      await other.dropDatabase();
      expect(await things().distinct('n', {}, { session })).toEqual([0]);
    }));

  it('cannot read at a time of which there is no snapshot', async () => {
    const readConcern = { level: 'snapshot', atClusterTime: new Timestamp({ t: 1, i: 1 }) };
    expect(await rejection(own.db.command({ find: 'things', readConcern }))).toMatchObject({ code: 239 });
  });
});

describe('a transaction', () => {
  it.each([{ count: 'things' }, { listCollections: 1 }, { drop: 'things' }, { ping: 1 }])(
    'refuses %o, as in MongoDB',
    (command) =>
      own.client.withSession(async (session) => {
        session.startTransaction();
        await things().findOne({}, { session });
        expect(await rejection(own.db.command(command, { session }))).toMatchObject({
          code: 263,
          codeName: 'OperationNotSupportedInTransaction',
        });
        await session.abortTransaction();
      }),
  );
});
