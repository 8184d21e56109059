import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis } from '../../dev/services/services.ts';
import { createProducer } from '../../src/producer/producer.ts';
import { blockMoves } from '../support/blocked-conversation.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { countCommands } from '../support/command-count.ts';
import { Harness } from '../support/harness.ts';
import { areOwnServicesPossible } from '../support/own-services.ts';
import { RedisCluster } from '../support/redis-cluster.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const PRIMARIES = 3;
const MEASURED_MS = 3_000;
/** Without pauses, an idle worker would send 10,000 commands a second. */
const COMMANDS_MAX = 600;
/** The worker has no free place, so it does not wait for another job meanwhile. */
const ONE_JOB = { BATON_OPERATION_CONCURRENCY: '1', BATON_LOCK_MS: '2000', BATON_STALLED_CHECK_MS: '500' };

describe.runIf(areOwnServicesPossible)('a cluster with settings that do not fit it', () => {
  let cluster: RedisCluster;
  let harness: Harness;

  beforeAll(async () => {
    cluster = await RedisCluster.start();
    harness = await Harness.open();
  });
  afterAll(async () => {
    await harness.close();
    await cluster.stop();
  });

  /** Returns what doctor and a worker say. */
  async function refusedBy(env: NodeJS.ProcessEnv): Promise<{ readonly doctor: string; readonly log: string }> {
    const doctor = await new Cli({ ...cliEnv(harness.config), ...env }).run(['doctor']);
    expect(doctor.status).toBe(1);
    const { code, log } = await WorkerProcess.begin(harness, env, {}).gone();
    expect(code).toBe(2);
    return { doctor: doctor.out, log };
  }

  it('is named as a cluster when only one node is given, with and without the keys of Baton', async () => {
    for (const node of cluster.nodes.slice(0, PRIMARIES)) {
      const { doctor, log } = await refusedBy({ REDIS_URL: node.url });
      const words = 'this is one node of a cluster: give the addresses of several nodes, separated by commas';
      expect(doctor).toContain(words);
      expect(log).toContain(words);
    }
  });

  it('is reached with the address of one node given twice', async () => {
    const [first] = cluster.nodes;
    const worker = await WorkerProcess.start(harness, { REDIS_URL: `${first?.url ?? ''},${first?.url ?? ''}` });
    expect(worker.hasEnded).toBe(false);
    await worker.kill();
  });

  it('is named as a cluster when the prefix has no braces', async () => {
    const words = 'this is a cluster: put BATON_QUEUE_PREFIX in braces, such as {baton}';
    const { doctor, log } = await refusedBy({ REDIS_URL: cluster.url, BATON_QUEUE_PREFIX: 'baton' });
    expect(doctor).toContain(words);
    expect(log).toContain(words);
  });

  it('costs a worker with a job few commands, with a reason in the log, when it takes the place of its Redis', async () => {
    const { password } = new URL(cluster.url.split(',')[0] ?? '');
    const single = await startRedis({ password });
    const proxy = await TcpProxy.before(single.url);
    const worker = await WorkerProcess.start(harness, { ...ONE_JOB, REDIS_URL: proxy.url });
    const producer = createProducer({ ...harness.config.queue, redisUrl: single.url });
    const campaignId = await harness.seedCampaign(1);
    const [id = ''] = await harness.seedConversations(campaignId, [{}]);
    const block = await blockMoves(harness, id);
    const asked = { campaignId, from: 'pool', to: { texterIds: ['t1'] }, status: 'any' } as const;
    const operationId = harness.newId('op');
    const sent = await producer.reassign({ operationId, ...asked });
    const { batches } = harness.context.database;
    await until('the operation to run', async () => (await batches.countDocuments({ operationId })) > 0);

    const stranger = new Redis((await cluster.nodeWithout(harness.config.queue.prefix)).url);
    proxy.moveTo(`redis://127.0.0.1:${stranger.options.port ?? 0}`);
    proxy.away();
    proxy.back();
    await block.remove();
    await until('the worker to name the cluster', () => worker.logText.includes('this is one node of a cluster'));
    const before = await countCommands(stranger);
    await sleep(MEASURED_MS);
    expect((await countCommands(stranger)) - before).toBeLessThan(COMMANDS_MAX);
    stranger.disconnect();

    proxy.moveTo(single.url);
    proxy.away();
    proxy.back();
    expect((await sent.result()).receipt.moved).toBe(1);
    await producer.close();
    await worker.kill();
    await proxy.close();
    await single.stop();
  });
});
