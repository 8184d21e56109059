import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { startRedis } from '../../dev/services/services.ts';
import { createProducer } from '../../src/producer/producer.ts';
import { cliEnv, spawnCli } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';
import { describeWith, OWN_REDIS } from '../support/needs.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const WARNING = 'IMPORTANT! Eviction policy is allkeys-lru';

describeWith(OWN_REDIS)('a Redis that may delete jobs when its memory is full', () => {
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let harness: Harness;
  beforeAll(async () => {
    redis = await startRedis({ settings: { 'maxmemory-policy': 'allkeys-lru' } });
    harness = await Harness.open();
  });
  afterEach(() => vi.restoreAllMocks());
  afterAll(async () => {
    await harness.close();
    await redis.stop();
  });

  it('is reported once by a worker, and not by producers and commands that only print answers', async () => {
    const env = { REDIS_URL: redis.url };
    const worker = await WorkerProcess.start(harness, env);
    const campaignId = await harness.seedCampaign(1);
    const printed = vi.spyOn(console, 'warn');
    const producer = createProducer({ redisUrl: redis.url, prefix: harness.config.queue.prefix });
    const sent = await producer.reassign({
      ...{ operationId: harness.newId('op'), campaignId },
      ...{ from: 'pool', to: 'everyone', status: 'any' },
    });
    await sent.result();
    await producer.close();
    expect(printed).not.toHaveBeenCalled();
    for (const args of [['failed'], ['operations', campaignId], ['doctor']]) {
      const ran = await spawnCli({ ...cliEnv(harness.config), ...env }, args);
      expect(`${ran.out}${ran.err}`).not.toContain('IMPORTANT!');
    }
    worker.signal('SIGHUP');
    const { code, log } = await worker.gone();
    expect(code).toBe(0);
    expect(log.split('\n').filter((line) => line.includes(WARNING))).toHaveLength(1);
    expect(
      log
        .trim()
        .split('\n')
        .every((line) => line.startsWith('{')),
    ).toBe(true);
  });
});
