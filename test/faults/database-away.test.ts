import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Harness, many } from '../support/harness.ts';
import { describeWith, PLAIN_MONGODB } from '../support/needs.ts';
import { RawQueue } from '../support/raw-queue.ts';
import { proxiedMongo, type TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

/** As long as a failover. */
const AWAY_MS = 12_000;
/** pino's number for errors, in a line of the log. */
const ERROR_LEVEL = '"level":50';

describeWith(PLAIN_MONGODB)('a database that is away as long as a failover', () => {
  let harness: Harness;
  let queue: RawQueue;
  let proxy: TcpProxy;
  let mongodbUri: string;
  beforeAll(async () => {
    harness = await Harness.open();
    queue = new RawQueue(harness);
    ({ proxy, uri: mongodbUri } = await proxiedMongo(harness.config.mongo.uri));
  });
  afterAll(async () => {
    await proxy.close();
    await queue.close();
    await harness.close();
  });

  it('uses no attempt, and the log says that it is away, without an error', async () => {
    const worker = await WorkerProcess.start(harness, {
      MONGODB_URI: mongodbUri,
      ...{ BATON_MONGODB_SELECTION_TIMEOUT_MS: '500', BATON_SLICE_MS: '200', BATON_BATCH_CONVERSATIONS_MAX: '20' },
    });
    const campaignId = await harness.seedCampaign(3);
    await harness.seedConversations(campaignId, many(3_000));
    const operationId = harness.newId('op');
    const sent = await harness.producer.reassign({
      ...{ operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' },
    });
    const { batches } = harness.context.stores;
    await until('the first batches', async () => (await batches.recent(operationId, 3)).length === 3);
    proxy.away();
    await sleep(AWAY_MS);
    expect((await queue.job(operationId))?.attemptsMade).toBe(0);
    expect(worker.logText).toContain('no primary or no majority of MongoDB answers');
    proxy.back();
    expect((await sent.result({ waitMs: 60_000 })).receipt).toMatchObject({ moved: 3_000 });
    await worker.kill();
    expect(worker.logText.split('\n').filter((line) => line.includes(ERROR_LEVEL))).toEqual([]);
  });
});
