import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ProcessDoc } from '../../src/mongo/documents.ts';
import { blockMoves } from '../support/blocked-conversation.ts';
import { CampaignWithWorkers, seedPool } from '../support/campaign-with-workers.ts';
import { Harness } from '../support/harness.ts';
import { describeWith, PLAIN_ADDRESSES } from '../support/needs.ts';
import { proxiedMongo, TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const CONVERSATIONS = 120;
const CLOSE_TIMEOUT_MS = 2_000;
/** The time limit of a stop, a second for each of the two services, and one for a slow machine. */
const STOPPED_WITHIN_MS = CLOSE_TIMEOUT_MS + 3_000;
const SETTINGS = {
  BATON_LOCK_MS: '5000',
  BATON_STALLED_CHECK_MS: '500',
  BATON_BATCH_CONVERSATIONS_MAX: '10',
  BATON_CLOSE_TIMEOUT_MS: String(CLOSE_TIMEOUT_MS),
};

async function recordedProcesses({ context: { database } }: Harness): Promise<string[]> {
  const processes = database.client.db(database.name).collection<ProcessDoc>('processes');
  return (await processes.find().toArray()).map(({ _id }) => _id);
}

/** Returns true while a process other than these has a record of its transactions. */
async function hasRecord(harness: Harness, others: readonly string[]): Promise<boolean> {
  return (await recordedProcesses(harness)).some((id) => !others.includes(id));
}

async function withCampaign(act: (test: CampaignWithWorkers) => Promise<void>): Promise<void> {
  const test = new CampaignWithWorkers(await seedPool(await Harness.open(), CONVERSATIONS), SETTINGS);
  try {
    await act(test);
  } finally {
    await test.close();
  }
}

describe('a worker that is stopped', { timeout: 60_000 }, () => {
  it('finishes its batch although SIGTERM, SIGINT and SIGHUP are repeated', () =>
    withCampaign(async (test) => {
      const { harness, campaignId } = test;
      const operationId = harness.newId('op');
      const block = await blockMoves(harness, test.ids[45] ?? '');
      const worker = await test.start({ BATON_CLOSE_TIMEOUT_MS: '15000' });
      const sent = await harness.producer.reassign({
        ...{ operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' },
      });
      await test.applied(operationId, 3);
      await worker.tellToStop();
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGINT', 'SIGINT', 'SIGTERM'] as const) {
        worker.signal(signal);
        await sleep(50);
      }
      expect(worker.hasEnded).toBe(false);
      await block.remove();
      expect(await worker.exitCode()).toBe(0);
      await test.start();
      expect((await sent.result()).receipt.moved).toBe(CONVERSATIONS);
    }));

  it('exits with 0 before it is ready, while it waits for Redis', () =>
    withCampaign(async ({ harness }) => {
      const env = { ...SETTINGS, REDIS_URL: 'redis://127.0.0.1:1' };
      const worker = WorkerProcess.begin(harness, env, {});
      await until('the worker to wait for Redis', () => worker.logText.includes('connection to Redis failed'));
      worker.signal('SIGTERM');
      await until('the worker to exit', () => worker.hasEnded, STOPPED_WITHIN_MS);
      expect(await worker.exitCode()).toBe(0);
    }));
});

describeWith(PLAIN_ADDRESSES)('a worker that is stopped while a service is silent', { timeout: 60_000 }, () => {
  it.each([
    ['MongoDB is silent', { mongo: true, redis: false }],
    ['Redis is silent', { mongo: false, redis: true }],
    ['both services are silent', { mongo: true, redis: true }],
  ])('exits within its time limit when %s and an operation runs', (_what, silent) =>
    withCampaign(async (test) => {
      const { harness, campaignId } = test;
      const mongo = await proxiedMongo(harness.config.mongo.uri);
      const redis = await TcpProxy.before(harness.config.queue.redisUrl);
      const block = await blockMoves(harness, test.ids[45] ?? '');
      const others = await recordedProcesses(harness);
      const worker = await test.start({ MONGODB_URI: mongo.uri, REDIS_URL: redis.url });
      const operationId = harness.newId('op');
      const request = { operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' } as const;
      await harness.producer.reassign(request);
      await test.applied(operationId, 3);
      if (silent.mongo) mongo.proxy.silence();
      if (silent.redis) redis.silence();
      await worker.tellToStop();
      await until('the worker to exit', () => worker.hasEnded, STOPPED_WITHIN_MS);
      await block.remove();
      // Its open transaction would hold up the deletion of the database, which would hold up the watch that ends it.
      await until('the transactions of the worker to be ended', async () => !(await hasRecord(harness, others)));
      await Promise.all([mongo.proxy.close(), redis.close()]);
    }),
  );
});
