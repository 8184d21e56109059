import { once } from 'node:events';
import { Queue, Worker, type Job } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LockWatch } from '../../workers/lock-watch.ts';
import { testConfig } from '../support/harness.ts';
import { until } from '../support/until.ts';

const QUEUE = 'locked';
const LOCK_MS = 200;

/** The jobs run until the test ends them. The test removes their locks from Redis. */
describe('the lock watch', () => {
  const { queue: config } = testConfig();
  const connection = new Redis(config.redisUrl, { maxRetriesPerRequest: null });
  const queue = new Queue(QUEUE, { connection, prefix: config.prefix });
  const locks = new LockWatch(LOCK_MS);
  const running = new Map<string, AbortSignal | undefined>();
  const reported: string[] = [];
  let end: () => void;
  let ended = new Promise<void>((resolve) => (end = resolve));
  let worker: Worker;

  const work = async (job: Job, _token: string | undefined, signal: AbortSignal | undefined): Promise<void> => {
    locks.begin(job.id ?? '');
    running.set(job.id ?? '', signal);
    await ended;
  };
  beforeAll(async () => {
    worker = new Worker(QUEUE, work, { connection, prefix: config.prefix, lockDuration: LOCK_MS });
    locks.watch(worker, (error) => reported.push(error.message));
    await worker.waitUntilReady();
  });
  afterEach(() => {
    end();
    ended = new Promise((resolve) => (end = resolve));
    reported.splice(0);
  });
  afterAll(async () => {
    end();
    await worker.close();
    await queue.obliterate({ force: true });
    await queue.close();
    connection.disconnect();
  });

  async function start(jobId: string): Promise<void> {
    await queue.add('job', {}, { jobId });
    await until(`${jobId} to run`, () => running.has(jobId));
  }

  async function loseLock(jobId: string): Promise<void> {
    const failed = once(worker, 'lockRenewalFailed');
    await connection.del(`${queue.toKey(jobId)}:lock`);
    expect(await failed).toEqual([[jobId]]);
  }

  it('stops a job whose lock is lost, and reports the loss', async () => {
    await start('op-at-work');
    await loseLock('op-at-work');
    await until('the loss to be reported', () => reported.includes('could not renew lock for job op-at-work'));
    expect(running.get('op-at-work')?.aborted).toBe(true);
  });

  it('ignores a lost lock of a job that is being returned to the queue', async () => {
    await start('op-released');
    locks.release('op-released');
    await loseLock('op-released');
    expect(running.get('op-released')?.aborted).toBe(false);
    expect(reported).not.toContain('could not renew lock for job op-released');
  });

  it('stops a job whose lock is lost in a later run', async () => {
    await start('op-again');
    locks.release('op-again');
    locks.begin('op-again');
    await loseLock('op-again');
    expect(running.get('op-again')?.aborted).toBe(true);
  });

  it('passes other errors on', () => {
    worker.emit('error', new Error('read ECONNRESET'));
    expect(reported).toContain('read ECONNRESET');
  });
});
