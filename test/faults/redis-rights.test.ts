import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startRedis } from '../../dev/services/services.ts';
import { createProducer } from '../../src/producer/producer.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { countCommands } from '../support/command-count.ts';
import { Harness } from '../support/harness.ts';
import { describeWith, OWN_REDIS } from '../support/needs.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const RIGHTS = '+@all -@dangerous -@admin +info +client|list';

describeWith(OWN_REDIS)('a user of Redis', () => {
  let harness: Harness;
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let admin: Redis;
  beforeAll(async () => {
    harness = await Harness.open();
    redis = await startRedis();
    admin = new Redis(redis.url);
  });
  afterAll(async () => {
    admin.disconnect();
    await redis.stop();
    await harness.close();
  });

  /** Creates a user with the documented rights and some changes, and returns the environment of its worker. */
  async function envOf(...changes: string[]): Promise<{ readonly REDIS_URL: string }> {
    const { prefix } = harness.config.queue;
    const scope = ['resetkeys', `~${prefix}:*`, 'resetchannels', `&${prefix}:*`];
    await admin.call('ACL', 'SETUSER', 'baton', 'reset', 'on', '>secret', ...scope, ...RIGHTS.split(' '), ...changes);
    return { REDIS_URL: `redis://baton:secret@${new URL(redis.url).host}` };
  }

  it('with the documented rights runs a worker, an operation and every check of doctor', async () => {
    const env = await envOf();
    const worker = await WorkerProcess.start(harness, env);
    const campaignId = await harness.seedCampaign(1);
    await harness.seedConversations(campaignId, [{}, {}]);
    const cli = new Cli({ ...cliEnv(harness.config), ...env });
    const doctor = await cli.run(['doctor']);
    expect(doctor.out).toMatch(/^✓ Redis rights +all/m);
    expect(doctor.status).toBe(0);
    const producer = createProducer({ redisUrl: env.REDIS_URL, prefix: harness.config.queue.prefix });
    const asked = { campaignId, from: 'pool', to: { texterIds: ['t1'] }, status: 'any' } as const;
    const sent = await producer.reassign({ operationId: harness.newId('op'), ...asked });
    expect((await sent.result()).receipt).toMatchObject({ moved: 2 });
    await producer.close();
    expect(worker.logText).not.toContain('NOPERM');
    await worker.kill();
  });

  it.each([
    ['publish messages', 'resetchannels'],
    ['run scripts', '-eval'],
    ['use transactions', '-multi'],
    ['list clients', '-client|list'],
    ['read the state of the server', '-info'],
    ['add events', '-xtrim'],
  ])('that may not %s is named by doctor, and its worker exits with 2', async (kind, change) => {
    const env = await envOf(change);
    const doctor = await new Cli({ ...cliEnv(harness.config), ...env }).run(['doctor']);
    expect(doctor.status).toBe(1);
    expect(doctor.out).toContain(`cannot ${kind}: Redis does not let Baton ${kind}: the user lacks the right`);
    const { code, log } = await WorkerProcess.begin(harness, env, {}).gone();
    expect(code).toBe(2);
    expect(log).toContain(`Redis does not let Baton ${kind}: the user lacks the right`);
  });

  it('without memory makes a worker wait, say why, and become ready when there is memory', async () => {
    await admin.config('SET', 'maxmemory', '1');
    const worker = WorkerProcess.begin(harness, await envOf(), {});
    try {
      await until('the worker to say why it waits', () => worker.logText.includes('Redis has no memory left'));
      expect(worker.logText).not.toContain('worker ready');
    } finally {
      await admin.config('SET', 'maxmemory', '0');
    }
    await until('the worker to be ready', () => worker.logText.includes('worker ready'));
    const before = await countCommands(admin);
    await admin.config('SET', 'maxmemory', '1');
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    await admin.config('SET', 'maxmemory', '0');
    const after = await countCommands(admin);
    expect(after - before).toBeLessThan(2_000);
    await worker.kill();
  });
});
