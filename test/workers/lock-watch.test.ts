import { Queue, Worker, type Job } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LockWatch, type Run } from '../../workers/lock-watch.ts';
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
  const running = new Map<string, Run>();
  const reported: string[] = [];
  let end: () => void;
  let ended = new Promise<void>((resolve) => (end = resolve));
  let worker: Worker;

  const work = async (job: Job, token = ''): Promise<void> => {
    const run = locks.begin(job, token);
    running.set(job.id ?? '', run);
    await ended;
    run.end();
  };
  beforeAll(async () => {
    const options = { connection, prefix: config.prefix, lockDuration: LOCK_MS, skipLockRenewal: true, concurrency: 2 };
    worker = new Worker(QUEUE, work, options);
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

  async function start(jobId: string): Promise<Run> {
    await queue.add('job', {}, { jobId });
    return until(`${jobId} to run`, () => running.get(jobId));
  }

  const loseLock = (jobId: string): Promise<number> => connection.del(`${queue.toKey(jobId)}:lock`);

  it('stops a job whose lock is lost, and reports the loss once', async () => {
    const lost = await start('op-lost');
    const later = await start('op-lost-later');
    await loseLock('op-lost');
    await until('the run to be stopped', () => lost.signal.aborted);
    // The lock of the first job is renewed in vain meanwhile.
    await loseLock('op-lost-later');
    await until('the other run to be stopped', () => later.signal.aborted);
    expect(reported.sort()).toEqual([
      'could not renew the lock of job op-lost',
      'could not renew the lock of job op-lost-later',
    ]);
  });

  it('does not renew the lock of a run that has ended', async () => {
    const { signal, end: endRun } = await start('op-ended');
    endRun();
    const lock = `${queue.toKey('op-ended')}:lock`;
    await until('the lock to expire', async () => (await connection.exists(lock)) === 0);
    expect(signal.aborted).toBe(false);
    expect(reported).not.toContain('could not renew the lock of job op-ended');
  });

  it('passes other errors on', () => {
    worker.emit('error', new Error('read ECONNRESET'));
    expect(reported).toContain('read ECONNRESET');
  });

  it('stops all runs when the worker closes', async () => {
    const { signal } = await start('op-at-work');
    const closed = worker.close();
    expect(signal.aborted).toBe(true);
    end();
    await closed;
  });
});
