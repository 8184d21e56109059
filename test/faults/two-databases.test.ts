import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../src/config.ts';
import { createProducer } from '../../src/producer/producer.ts';
import { OPERATIONS_QUEUE } from '../../src/queue/job.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness, many } from '../support/harness.ts';
import { RawQueue } from '../support/raw-queue.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

let harness: Harness;
/** Has a database of its own. */
let other: Harness;
let queue: RawQueue;
beforeEach(async () => {
  [harness, other] = await Promise.all([Harness.open(), Harness.open()]);
  queue = new RawQueue(harness, OPERATIONS_QUEUE);
});
afterEach(async () => {
  await queue.close();
  await Promise.all([harness.close(), other.close()]);
});

const idOf = async ({ context }: Harness) =>
  (await context.database.schema.findOne({ _id: 'schema' }))?.databaseId ?? 'none';
const ownerKey = () => `${harness.config.queue.prefix}:database`;
const ownerId = () => queue.redis.hget(ownerKey(), 'id');
/** The database of the other harness, with the queues of the first. */
const mixed = (): Config => ({ ...other.config, queue: harness.config.queue });
const mixedEnv = () => ({ MONGODB_URI: other.config.mongo.uri });

describe('the queues of one database', () => {
  it('refuse the worker of another database, which says so in one line and exits with 2', async () => {
    await harness.startWorker();
    const campaignId = await harness.seedCampaign(1);
    await harness.seedConversations(campaignId, many(15));
    const { code, log } = await WorkerProcess.begin(harness, mixedEnv(), {}).gone();
    expect(code).toBe(2);
    expect(log.trim().split('\n')).toHaveLength(1);
    expect(JSON.parse(log)).toMatchObject({
      code: 'other-database',
      msg: expect.stringMatching(
        /belong to another database: give this one a BATON_QUEUE_PREFIX.*`baton adopt`/,
      ) as string,
    });
    const moves = Array.from({ length: 15 }, async () => {
      const request = {
        operationId: harness.newId('op'),
        campaignId,
        from: 'pool',
        to: { texterIds: ['t1'] },
      } as const;
      return (await (await harness.producer.reassign({ ...request, status: 'any', count: 1 })).result()).receipt.moved;
    });
    expect(await Promise.all(moves)).toEqual(Array.from({ length: 15 }, () => 1));
  });

  it('belong to exactly one of two workers with different databases that start at once', async () => {
    const workers = [WorkerProcess.begin(harness, {}, {}), WorkerProcess.begin(harness, mixedEnv(), {})];
    const refused = await until('one of the workers to end', () => workers.find(({ hasEnded }) => hasEnded));
    const kept = workers.find((worker) => worker !== refused);
    await until('the other worker to be ready', () => kept?.logText.includes('worker ready'));
    expect(await refused.exitCode()).toBe(2);
    expect(kept?.hasEnded).toBe(false);
    await kept?.kill();
  });

  it('are claimed again by a running worker when Redis was emptied or the key is damaged', async () => {
    await harness.startWorker();
    const id = await idOf(harness);
    expect(await ownerId()).toBe(id);
    await queue.redis.del(ownerKey());
    await until('the worker to claim the queues', async () => (await ownerId()) === id);
    await queue.redis.set(ownerKey(), 'garbage');
    await until('the worker to replace the key', async () => (await queue.redis.type(ownerKey())) === 'hash');
    expect(await ownerId()).toBe(id);
  });

  it('are given to another database by `baton adopt`, and the workers of the first one stop with 2', async () => {
    const worker = await WorkerProcess.start(harness, {});
    const cli = new Cli(cliEnv(mixed()));
    const doctor = await cli.run(['doctor']);
    expect(doctor.status).toBe(1);
    expect(doctor.out).toMatch(
      /✗ database +\S+ \(\S+\); the queues belong to the database test_\S+ \(\S+\): .*`baton adopt`/,
    );
    expect(await cli.json(['adopt'])).toMatchObject({ dryRun: true, before: await idOf(harness) });
    expect(await ownerId()).toBe(await idOf(harness));
    expect(await cli.json(['adopt', '--yes'])).toMatchObject({ databaseId: await idOf(other) });
    expect(await worker.exitCode()).toBe(2);
    expect(worker.logText).toContain('"other-database"');
    await (await WorkerProcess.start(harness, mixedEnv())).kill();
    expect((await cli.run(['doctor'])).out).toMatch(/✓ database +\S+ \(\S+\); the queues belong to it/);
  });

  it('refuse the producers and commands that expect another database, and nothing is sent', async () => {
    await harness.startWorker();
    const campaignId = await other.seedCampaign(1);
    const producer = createProducer({ ...harness.config.queue, databaseId: await idOf(other) });
    const refusal = {
      code: 'other-database',
      expected: `queues of the database ${await idOf(other)}`,
      received: `queues of the database ${await idOf(harness)}`,
    };
    const asked = { operationId: 'op_1', campaignId, from: 'pool', to: 'everyone', status: 'any' } as const;
    await expect(producer.reassign(asked)).rejects.toMatchObject({ name: 'Refusal', ...refusal });
    await expect(producer.result('op_1')).rejects.toMatchObject(refusal);
    await producer.close();
    const cli = new Cli(cliEnv(mixed()));
    const words = ['--from', 'pool', '--to', 'everyone', '--status', 'any'];
    expect(await cli.refusal(['reassign', campaignId, ...words])).toMatchObject(refusal);
    expect(await cli.refusal(['failed'])).toMatchObject(refusal);
    expect(await queue.queue.getJobCountByTypes()).toBe(0);
    const own = createProducer({ ...harness.config.queue, databaseId: await idOf(harness) });
    await own.poolRefilled(campaignId);
    await own.close();
  });

  it('belong to the database of the first worker that finds no owner, as in the version before', async () => {
    const { database } = harness.context;
    await database.schema.updateOne({ _id: 'schema' }, { $unset: { databaseId: '' } });
    await queue.queue.add('operation', {}, { jobId: 'old' });
    const [one, two] = await Promise.all([WorkerProcess.start(harness, {}), WorkerProcess.start(harness, {})]);
    expect(await idOf(harness)).toMatch(/^[0-9a-f-]{36}$/);
    expect(await ownerId()).toBe(await idOf(harness));
    await Promise.all([one.kill(), two.kill()]);
  });
});
