import { mongo } from 'mongoose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isDatabaseAway, isLostConnection } from '../../src/mongo/server-errors.ts';
import { Harness } from '../support/harness.ts';
import { describeWith, PLAIN_MONGODB } from '../support/needs.ts';
import { proxiedMongo, type TcpProxy } from '../support/tcp-proxy.ts';

describeWith(PLAIN_MONGODB)('the error of a bulk write', () => {
  let harness: Harness;
  let client: mongo.MongoClient;
  let proxy: TcpProxy;
  beforeAll(async () => {
    harness = await Harness.open();
    const proxied = await proxiedMongo(harness.config.mongo.uri);
    proxy = proxied.proxy;
    client = await new mongo.MongoClient(proxied.uri, { serverSelectionTimeoutMS: 300 }).connect();
  });
  afterAll(async () => {
    await client.close();
    await proxy.close();
    await harness.close();
  });

  async function errorOfBulk(session: mongo.ClientSession): Promise<unknown> {
    const update = { filter: { a: 0 }, update: { $set: { a: 1 } } };
    const writing = client.db(harness.context.database.name).collection('texters');
    return writing.bulkWrite([{ updateMany: update }], { session }).catch((error: unknown) => error);
  }

  it('says that the database is away, within a transaction and at its start', async () => {
    const [begun, unbegun] = [client.startSession(), client.startSession()];
    for (const session of [begun, unbegun]) session.startTransaction();
    await client.db(harness.context.database.name).collection('texters').findOne({}, { session: begun });
    proxy.away();
    const lost = await errorOfBulk(begun);
    expect([isLostConnection(lost), isDatabaseAway(lost)]).toEqual([true, true]);
    const unreachable = await errorOfBulk(unbegun);
    expect([isLostConnection(unreachable), isDatabaseAway(unreachable)]).toEqual([false, true]);
  });
});
