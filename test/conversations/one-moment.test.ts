import type { mongo } from 'mongoose';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type DocumentDbServer } from '../../dev/documentdb-server/server.ts';
import { withDatabase } from '../../dev/services/environment-services.ts';
import { createContext, type Context } from '../../src/context.ts';
import { viewSenders } from '../../src/conversations/index.ts';
import { postgresAddress } from '../dev/documentdb-server/support.ts';
import { Harness } from '../support/harness.ts';
import { describeWith, DEVELOPMENT_SERVER } from '../support/needs.ts';
import { SentCommands } from '../support/sent-commands.ts';

let harness: Harness;
let commands: SentCommands;
let campaignId: string;
beforeAll(async () => {
  harness = await Harness.open();
  commands = await SentCommands.open(harness);
  campaignId = await harness.seedCampaign(2);
  await harness.seedConversations(campaignId, [{ assigneeId: 't1' }, { assigneeId: 't1', optedOut: true }, {}]);
});
afterAll(async () => {
  await commands.context.close();
  await harness.close();
});

const countsOf = (sent: readonly mongo.Document[]): mongo.Document[] =>
  sent.filter(({ aggregate }) => aggregate === 'conversations');

describe('counts of conversations', () => {
  it('of the senders view name the moment of the first one', async () => {
    const sent = countsOf(await commands.during((context) => viewSenders(context, campaignId)));
    expect(sent).toHaveLength(3);
    expect(sent[0]).toMatchObject({ readConcern: { level: 'snapshot' } });
    const times = sent.slice(1).map(({ readConcern }) => (readConcern as mongo.Document)['atClusterTime'] as unknown);
    expect(times[0]).toMatchObject({ _bsontype: 'Timestamp' });
    expect(times[1]).toEqual(times[0]);
  });

  it('that must agree see none of the changes after the first count', async () => {
    const { conversations } = harness.context.stores;
    const { database } = harness.context;
    const counted = await conversations.atOneMoment(async (moment) => {
      const before = await moment.count(campaignId, ['t1'], ['not-started']);
      await database.conversations.updateMany({ campaignId, assigneeId: 't1' }, { $set: { assigneeId: 't2' } });
      return { before, after: await moment.count(campaignId, ['t1'], ['not-started']) };
    });
    expect(counted).toEqual({ before: 2, after: 2 });
    expect(await conversations.count(campaignId, ['t1'], ['not-started'])).toBe(0);
  });

  it('read a snapshot each when they stand alone', async () => {
    const sent = await commands.during(async ({ stores: { conversations } }) => {
      await conversations.count(campaignId, ['t1', null], ['not-started']);
      await conversations.countNotMoved(campaignId, ['t1'], ['not-started'], 'op_x');
      await conversations.countByAssignee(campaignId);
    });
    expect(countsOf(sent)).toHaveLength(3);
    for (const each of countsOf(sent)) expect(each).toMatchObject({ readConcern: { level: 'snapshot' } });
  });
});

const SNAPSHOT_TOO_OLD = 239;
const SNAPSHOT_UNAVAILABLE = 246;
const ATTEMPTS_MAX = 5;
const CONNECTIONS_MAX = 12;

/** A fail point concerns all clients of a server, so these tests start their own. */
describeWith(DEVELOPMENT_SERVER)('a count whose moment the server no longer has', () => {
  let server: DocumentDbServer;
  let context: Context;
  beforeAll(async () => {
    const address = { host: '127.0.0.1', port: 0, ...postgresAddress(), user: 'postgres', database: 'postgres' };
    server = await startServer({ port: 0, postgres: { ...address, connectionsMax: CONNECTIONS_MAX } });
    const { mongo: options } = harness.config;
    const uri = withDatabase(server.uri, new URL(options.uri).pathname.slice(1));
    context = await createContext({ ...harness.config, mongo: { ...options, uri } });
  });
  afterEach(() => failCounts('off'));
  afterAll(async () => {
    await context.close();
    await server.close();
  });

  const failCounts = (mode: 'off' | 'alwaysOn' | { times: number }, errorCode = SNAPSHOT_TOO_OLD) => {
    const data = { failCommands: ['aggregate'], errorCode };
    return context.database.client.db('admin').command({ configureFailPoint: 'failCommand', mode, data });
  };

  it.each([SNAPSHOT_TOO_OLD, SNAPSHOT_UNAVAILABLE])('is read at a later moment after the error %i', async (code) => {
    await failCounts({ times: ATTEMPTS_MAX - 1 }, code);
    expect(await context.stores.conversations.count(campaignId, ['t2', null], ['not-started'])).toBe(3);
  });

  it('is read again together with the counts that must agree with it', async () => {
    await failCounts({ times: ATTEMPTS_MAX - 1 });
    const moments: number[] = [];
    const counted = await context.stores.conversations.atOneMoment(async (moment) => {
      moments.push(moments.length);
      const pool = await moment.count(campaignId, [null], ['not-started']);
      return [pool, await moment.count(campaignId, ['t2'], ['not-started'])];
    });
    expect(counted).toEqual([1, 2]);
    expect(moments).toHaveLength(ATTEMPTS_MAX);
  });

  it('fails when the server never has its moment, and so does a count with another error', async () => {
    const { conversations } = context.stores;
    const count = (): Promise<number> => conversations.count(campaignId, [null], ['not-started']);
    await failCounts('alwaysOn');
    await expect(count()).rejects.toMatchObject({ code: SNAPSHOT_TOO_OLD });
    await failCounts({ times: 1 }, 2);
    await expect(count()).rejects.toMatchObject({ code: 2 });
  });
});
