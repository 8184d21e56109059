import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis } from '../../dev/services/services.ts';
import type { Producer } from '../../src/producer/producer-port.ts';
import { createProducer } from '../../src/producer/producer.ts';
import { countCommands } from '../support/command-count.ts';
import { Harness } from '../support/harness.ts';
import { areOwnServicesPossible } from '../support/own-services.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

/** Sentinel and managed services promise that connections find the new primary by themselves. */
const RECOVERED_WITHIN_MS = 15_000;
const PASSWORD = 'of-both';

type Server = Awaited<ReturnType<typeof startRedis>>;

/** The worker and the producer reach Redis through a proxy, which stays the address after a failover. */
describe.runIf(areOwnServicesPossible)('a primary of Redis that becomes a replica', () => {
  let servers: Server[];
  let proxy: TcpProxy;
  let harness: Harness;
  let worker: WorkerProcess;
  let producer: Producer;
  let campaignId: string;

  beforeAll(async () => {
    servers = await Promise.all([1, 2].map(() => startRedis({ password: PASSWORD })));
    await on(1, async (redis, other) => void (await redis.replicaof('127.0.0.1', other.port)));
    proxy = await TcpProxy.before(servers[0]?.url ?? '');
    harness = await Harness.open({}, { mongodbUri: process.env['MONGODB_URI'] ?? '', redisUrl: proxy.url });
    worker = await WorkerProcess.start(harness, {});
    producer = createProducer(harness.config.queue);
    campaignId = await harness.seedCampaign(2, { selfAssign: { enabled: true } });
  });
  afterAll(async () => {
    await worker.kill();
    await producer.close();
    await harness.close();
    await proxy.close();
    await Promise.all(servers.map((server) => server.stop()));
  });

  async function on(at: 0 | 1, act: (redis: Redis, other: Server) => Promise<void>): Promise<void> {
    const redis = new Redis(servers[at]?.url ?? '');
    try {
      await act(redis, servers[1 - at] as Server);
    } finally {
      redis.disconnect();
    }
  }

  /** Sends an operation and a claim again and again until both have a result. */
  async function bothRun(): Promise<void> {
    await harness.seedConversations(campaignId, [{}, {}]);
    const ids = { operationId: harness.newId('op'), campaignId };
    const request = { ...ids, from: 'pool', to: { texterIds: ['t1'] }, status: 'any', count: 1 } as const;
    const claim = { campaignId, operationId: harness.newId('cl'), texterId: 't2', count: 1 };
    const began = performance.now();
    await until('an operation and a claim to end', async () => {
      try {
        const [operation, claimed] = await Promise.all([producer.reassign(request), producer.selfAssign(claim)]);
        expect((await operation.result()).receipt.moved).toBe(1);
        expect((await claimed.result()).conversationIds).toHaveLength(1);
        return true;
      } catch (error) {
        expect(error).toMatchObject({ code: 'queue-unavailable' });
        return false;
      }
    });
    expect(performance.now() - began).toBeLessThan(RECOVERED_WITHIN_MS);
  }

  it('is followed to the new primary at the same address, while old connections stay open', async () => {
    await bothRun();
    await on(1, async (redis) => void (await redis.replicaof('NO', 'ONE')));
    await on(0, async (redis, other) => void (await redis.replicaof('127.0.0.1', other.port)));
    proxy.moveTo(servers[1]?.url ?? '');
    await bothRun();
    expect(worker.logText).toContain('this Redis is a replica: wait for the failover');
  });

  it('is waited for until it is promoted again, with few commands and a reason in the log', async () => {
    proxy.moveTo(servers[0]?.url ?? '');
    await on(1, async (redis) => void (await redis.call('CLIENT', 'KILL', 'TYPE', 'normal')));
    await expect(
      producer.reassign({ operationId: harness.newId('op'), campaignId, from: 'pool', to: 'everyone', status: 'any' }),
    ).rejects.toThrow('this Redis is a replica');
    const second = WorkerProcess.begin(harness, {}, {});
    await until('a worker that starts to name the replica', () => second.logText.includes('this Redis is a replica'));
    await on(0, async (redis) => {
      const before = await countCommands(redis);
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      expect((await countCommands(redis)) - before).toBeLessThan(1_500);
      expect(second.logText).not.toContain('worker ready');
      await redis.replicaof('NO', 'ONE');
    });
    await bothRun();
    await until('the other worker to be ready', () => second.logText.includes('worker ready'));
    await second.kill();
  });
});
