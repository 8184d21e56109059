import { Queue, type Worker } from 'bullmq';
import type { ChainableCommander } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectWorker, type RedisConnection } from '../../src/queue/connection.ts';
import { FairPlaces } from '../../src/queue/fair-places.ts';
import { LockWatch } from '../../workers/lock-watch.ts';
import { startQueueWorker } from '../../workers/queue-worker.ts';
import { testConfig } from '../support/harness.ts';
import { until } from '../support/until.ts';

const QUEUE = 'fair';
const LOCK_MS = 10_000;
const MANY = 20;

describe('a worker that takes the jobs of campaigns in turn', () => {
  const config = testConfig();
  const started: string[] = [];
  const errors: string[] = [];
  let redis: RedisConnection;
  let queue: Queue;
  let worker: Worker | undefined;

  beforeEach(() => {
    redis = connectWorker(config.queue.redisUrl, () => undefined);
    queue = new Queue(QUEUE, { connection: redis, prefix: config.queue.prefix });
    for (const list of [errors, started]) list.splice(0);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await worker?.close();
    await queue.obliterate({ force: true });
    await queue.close();
    redis.disconnect();
  });

  const add = async (campaignId: string, count: number): Promise<void> => {
    const data = { request: { campaignId } };
    await queue.addBulk(
      Array.from({ length: count }, (_, at) => ({ name: 'job', data, opts: { jobId: `${campaignId}-${at}` } })),
    );
  };
  /** Returns the ids of the jobs in the order in which the worker started them. */
  const run = async (count: number): Promise<string[]> => {
    worker = startQueueWorker(config, {
      ...{ name: QUEUE, processName: 'p1', redis, concurrency: 1, isFair: true, locks: new LockWatch(LOCK_MS) },
      processor: ({ id = '' }) => Promise.resolve(void started.push(id)),
      onError: ({ message }) => void errors.push(message),
    });
    await until('all jobs to start', () => started.length === count);
    return started;
  };

  it('starts the only job of a campaign after one of many that another campaign sent before it', async () => {
    await add('large', MANY);
    await add('small', 1);
    const order = await run(MANY + 1);
    expect(order.slice(0, 3)).toContain('small-0');
    expect(order.filter((id) => id.startsWith('large'))).toEqual(
      Array.from({ length: MANY }, (_, at) => `large-${at}`),
    );
    expect(errors).toEqual([]);
  });

  it('gives places and takes a job in one transaction, so that no job arrives in between and passes the others', async () => {
    await add('large', MANY);
    const fetches = Object.keys(redis).filter((name) => /^moveTo(Active|Finished):[\d.]+$/.test(name));
    expect(fetches).toHaveLength(2);
    const own = redis as unknown as Record<string, () => unknown>;
    const spies = fetches.map((name) => vi.spyOn(own, name));
    await run(MANY);
    const callers = spies.flatMap(({ mock }) => mock.contexts);
    expect(callers.length).toBeGreaterThanOrEqual(MANY);
    // A transaction has the commands of its connection.
    expect(callers).not.toContain(redis);
  });

  it('reports that no places can be given, and runs the jobs in the order in which they were added', async () => {
    giveInsteadOfPlaces('ERR the script failed');
    await add('large', 3);
    await add('small', 1);
    expect(await run(4)).toEqual(['large-0', 'large-1', 'large-2', 'small-0']);
    expect(new Set(errors)).toEqual(new Set(['ERR the script failed']));
  });

  it('leaves errors that the fetch reports to the fetch', async () => {
    giveInsteadOfPlaces('OOM command not allowed');
    await add('large', 3);
    await run(3);
    expect(errors).toEqual([]);
  });

  it('takes the next jobs after Redis has forgotten all scripts', async () => {
    await add('first', 1);
    await run(1);
    await redis.script('FLUSH');
    await add('large', MANY);
    await until('all jobs to start', () => started.length === MANY + 1);
    expect(started.slice(1)).toEqual(Array.from({ length: MANY }, (_, at) => `large-${at}`));
  });

  it('loses no job when Redis has forgotten only the script that gives places', async () => {
    await add('first', 1);
    await run(1);
    await redis.script('FLUSH');
    const { scriptsSet } = redis as unknown as { scriptsSet: Record<string, { readonly lua: string }> };
    for (const [name, { lua }] of Object.entries(scriptsSet))
      if (name !== 'givePlaces') await redis.script('LOAD', lua);
    await add('large', MANY);
    await until('all jobs to start', () => started.length === MANY + 1);
    expect(started.slice(1)).toEqual(Array.from({ length: MANY }, (_, at) => `large-${at}`));
    await until('the end of all jobs', async () => (await queue.getActiveCount()) === 0);
    expect(await queue.getCompletedCount()).toBe(MANY + 1);
  });

  it('takes a job again without the transaction when Redis has become a replica meanwhile', async () => {
    const multi = redis.multi.bind(redis) as () => ChainableCommander;
    vi.spyOn(redis, 'multi').mockImplementationOnce(() => {
      return Object.assign(multi(), {
        exec: () =>
          Promise.resolve([1, 2].map(() => [new Error("READONLY You can't write against a read only replica.")])),
      });
    });
    await add('large', 3);
    expect(await run(3)).toEqual(['large-0', 'large-1', 'large-2']);
    expect(errors).toEqual([]);
  });

  it('takes jobs without places when Redis refuses the transaction', async () => {
    vi.spyOn(FairPlaces.prototype, 'giveIn').mockImplementation((transaction) => {
      void (transaction as ChainableCommander).call('no-such-command');
    });
    await add('large', 3);
    expect(await run(3)).toEqual(['large-0', 'large-1', 'large-2']);
  });
});

/** Puts a script that fails with this error in the place of the one that gives places. */
function giveInsteadOfPlaces(error: string): void {
  vi.spyOn(FairPlaces.prototype, 'giveIn').mockImplementation((transaction) => {
    void (transaction as ChainableCommander).eval(`return redis.error_reply('${error}')`, 0);
  });
}
