import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { CLAIMS_QUEUE, CONTROLS_QUEUE, OPERATIONS_QUEUE, PREVIEWS_QUEUE } from '../../src/queue/job.ts';
import { createProducer } from '../../src/producer/producer.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';
import { Plants, withPlants } from '../support/planted.ts';
import { Random } from '../support/random.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const SEED = Number(process.env['SEED'] ?? 20_260_930);
/** Several values in each place, so that each kind of value comes to each place. */
const ROUNDS = 3;
const UNENDED = ['wait', 'active', 'delayed', 'prioritized'] as const;

const ID = '65f0a1b2c3d4e5f6a7b8c9d0';
const from = { texterIds: ['t1', 't9'] };
const PRODUCED = {
  reassign: { campaignId: 'c1', from, to: from, status: 'any', count: 1, spread: 'even', actorId: 'a1' },
  unassign: { campaignId: 'c1', from, status: 'any', count: 1, confirm: 1 },
  reassignOne: { campaignId: 'c1', conversationId: ID, to: { texterIds: ['t1'] }, expectedAssigneeId: 't9' },
  unassignOne: { campaignId: 'c1', conversationId: ID, expectedAssigneeId: 't9' },
  undo: { campaignId: 'c1', undoes: 'op_x' },
  selfAssign: { campaignId: 'c1', texterId: 't1', count: 1, waitMs: 5 },
  cancel: { campaignId: 'c1' },
  optOut: { campaignId: 'c1', conversationId: ID },
  liftOptOut: { campaignId: 'c1', conversationId: ID },
  preview: { kind: 'reassign', campaignId: 'c1', from, to: from, status: 'any' },
} as const;

let harness: Harness;
let redis: Redis;
let worker: WorkerProcess;
/** Each test has values of its own. */
let plants: Plants;
const random = new Random(SEED);
beforeEach(() => {
  plants = new Plants(random.between(1, 2 ** 31));
});

beforeAll(async () => {
  harness = await Harness.open();
  await harness.seedCampaign(2, { campaignId: 'c1', country: 'US', selfAssign: { enabled: true } });
  redis = new Redis(harness.config.queue.redisUrl, { maxRetriesPerRequest: null });
  worker = await WorkerProcess.start(harness, { BATON_LOG_LEVEL: 'trace' });
});
afterAll(async () => {
  redis.disconnect();
  await worker.kill();
  await harness.close();
});

/** Everything that a caller can see of an error. */
function visibleIn(error: unknown): string {
  const { message, stack, cause, ...fields } = error as Error;
  const causes = cause === undefined ? '' : visibleIn(cause);
  return [message, stack, JSON.stringify(fields), JSON.stringify(error), causes].join('\n');
}

async function errorOf(act: () => Promise<unknown>): Promise<string> {
  try {
    return JSON.stringify((await act()) ?? null);
  } catch (error) {
    return visibleIn(error);
  }
}

/** Reads every key of the test. The data of a job is what its sender wrote, so it is left out. */
async function everythingInRedis(): Promise<string> {
  const texts: unknown[] = [];
  for (const key of await redis.keys(`${harness.config.queue.prefix}*`)) {
    const type = await redis.type(key);
    if (type === 'string') texts.push(await redis.get(key));
    if (type === 'list') texts.push(await redis.lrange(key, 0, -1));
    if (type === 'set') texts.push(await redis.smembers(key));
    if (type === 'zset') texts.push(await redis.zrange(key, '0', '-1'));
    if (type === 'stream') texts.push(await redis.xrange(key, '-', '+'));
    if (type === 'hash') texts.push({ ...(await redis.hgetall(key)), data: undefined });
  }
  return texts.map((text) => JSON.stringify(text)).join('\n');
}

async function everythingInMongo(): Promise<string> {
  const { operations, batches } = harness.context.database;
  const withoutRequest = { request: 0, _id: 0, campaignId: 0, createdBySendId: 0 };
  return JSON.stringify([
    await operations.find({}, { projection: withoutRequest }).toArray(),
    await batches.find().toArray(),
  ]);
}

async function logged(): Promise<string> {
  await until('the worker to have written its log', () => worker.logText.length > 0);
  return worker.logText;
}

describe(`planted names, phone numbers and passwords (seed ${SEED})`, () => {
  it('are in no error that the producer returns', { timeout: 60_000 }, async () => {
    const found: string[] = [];
    for (const [method, request] of Object.entries(PRODUCED)) {
      const whole =
        method === 'preview' || method.endsWith('ptOut') ? request : { operationId: harness.newId('op'), ...request };
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const changed of withPlants(whole, plants, [])) {
          const send = (harness.producer as unknown as Record<string, (request: unknown) => Promise<unknown>>)[method];
          const text = await errorOf(async () => send?.call(harness.producer, changed));
          if (text.includes('"operationId"')) continue;
          found.push(...plants.foundIn(text));
        }
      }
    }
    expect(found).toEqual([]);
    // Some values look like ids and are accepted as such. The log does not contain them either.
    expect(plants.foundIn(await logged())).toEqual([]);
    expect(plants.count).toBeGreaterThan(200);
  });

  it(
    'are in no log, failure, event or stored error when another program sends the jobs',
    { timeout: 120_000 },
    async () => {
      const { prefix } = harness.config.queue;
      const envelope = { version: 1, sendId: 'send' };
      const raw = {
        [OPERATIONS_QUEUE]: ['reassign', 'unassign', 'undo'].map((kind) => ({
          ...envelope,
          request: { kind, operationId: 'op_raw', ...PRODUCED[kind as 'undo'] },
        })),
        [CLAIMS_QUEUE]: [
          { ...envelope, request: { kind: 'self-assign', operationId: 'cl_raw', ...PRODUCED.selfAssign } },
        ],
        [PREVIEWS_QUEUE]: [{ version: 1, request: { operationId: 'op_p', ...PRODUCED.preview } }],
        [CONTROLS_QUEUE]: [
          { version: 1, request: { operationId: 'op_c', ...PRODUCED.cancel } },
          { version: 1, request: PRODUCED.optOut },
        ],
      };
      for (const [name, datas] of Object.entries(raw)) {
        const queue = new Queue(name, { connection: redis, prefix });
        let number = 0;
        for (const data of datas) {
          for (let round = 0; round < ROUNDS; round += 1) {
            for (const changed of withPlants(data, plants, [])) {
              const names = name === CONTROLS_QUEUE ? ['cancel', 'opt-out'] : ['operation', 'claim', 'pool-refilled'];
              await queue.add(random.pick(names), changed, { jobId: `raw_${(number += 1)}`, attempts: 2 });
            }
          }
        }
        await until(`the jobs of ${name} to end`, async () => (await queue.getJobCountByTypes(...UNENDED)) === 0);
        await queue.close();
      }
      await expectNothingFound();
    },
  );

  it(
    'are in no log when the ids and the names of jobs, or messages on channels, are garbage',
    { timeout: 60_000 },
    async () => {
      const { prefix } = harness.config.queue;
      const queue = new Queue(OPERATIONS_QUEUE, { connection: redis, prefix });
      for (let number = 0; number < 40; number += 1) {
        await queue.add(
          plants.next(),
          { text: plants.next() },
          { jobId: ` ${plants.next().replaceAll(':', ';')}`, attempts: 1 },
        );
      }
      await until('the jobs to end', async () => (await queue.getJobCountByTypes(...UNENDED)) === 0);
      const [channel = ''] = (await redis.call('PUBSUB', 'CHANNELS', `${prefix}:claims:replies:*`)) as string[];
      expect(channel).not.toBe('');
      const garbage = (): string =>
        random.pick([
          () => plants.next(),
          () => JSON.stringify(plants.next()),
          () => JSON.stringify([{ id: plants.next(), failure: plants.next() }]),
          () => JSON.stringify([{ id: 7, failure: plants.next() }]),
          () =>
            JSON.stringify({
              coordinatorId: 'x',
              id: plants.next(),
              command: { request: { campaignId: plants.next() } },
            }),
          () => JSON.stringify({ coordinatorId: 'x', id: 'i', command: { sendId: plants.next(), [plants.next()]: 1 } }),
          () => `{"${plants.next()}`,
        ])();
      for (let number = 0; number < 60; number += 1) {
        await redis.publish(channel, garbage());
        await redis.rpush(`${prefix}:claims:forwarded:c1`, garbage());
      }
      // The error reporter leaves out repetitions of a message; a claim makes the coordinator read the forwarded garbage.
      const claim = await harness.producer.selfAssign({
        operationId: harness.newId('cl'),
        campaignId: 'c1',
        texterId: 't1',
      });
      await claim.result();
      expect(plants.foundIn(await logged())).toEqual([]);
      expect(await logged()).toContain('a message between claim coordinators');
      await queue.close();
    },
  );

  it('are in no result of an import', async () => {
    const cli = new Cli(cliEnv(harness.config));
    const header = 'name,phone,external_id,status,assignee,opted_out,created_at';
    const good = ['Ann', '+12025550101', '', '', '', '', ''];
    const rows = Array.from({ length: 60 }, () => {
      const row = good.with(random.between(1, 6), plants.next());
      return row.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(',');
    });
    const ran = await cli.run(
      ['import', 'c1', '-', '--json'],
      [header, ...rows, plants.next(), `"${plants.next()}`].join('\n'),
    );
    expect(plants.foundIn(ran.out + ran.err)).toEqual([]);
    const headerless = await cli.run(['import', 'c1', '-'], `${plants.next()},${plants.next()}\n`);
    expect(plants.foundIn(headerless.out + headerless.err)).toEqual([]);
  });

  it('are in no error about an address', () => {
    const good = [`redis://user:word@host:6379/0`, 'mongodb://user:word@host:27017/baton?replicaSet=rs0'];
    for (let number = 0; number < 300; number += 1) {
      const [redisUrl = '', uri = ''] = good.map((address) => {
        const at = random.between(0, address.length);
        return `${address.slice(0, at)}${plants.next()}${address.slice(at)}`;
      });
      const texts: string[] = [];
      for (const act of [() => readConfig({ REDIS_URL: redisUrl, MONGODB_URI: uri }), () => closeSoon(redisUrl)]) {
        try {
          act();
        } catch (error) {
          texts.push(visibleIn(error));
        }
      }
      expect(plants.foundIn(texts.join('\n'))).toEqual([]);
    }
  });

  async function expectNothingFound(): Promise<void> {
    expect(plants.foundIn(await logged())).toEqual([]);
    expect(plants.foundIn(await everythingInRedis())).toEqual([]);
    expect(plants.foundIn(await everythingInMongo())).toEqual([]);
  }
});

/** An address that is valid opens a connection in the background. */
function closeSoon(redisUrl: string): void {
  void createProducer({ redisUrl }).close();
}
