import { once } from 'node:events';
import { Queue, Worker, type Job } from 'bullmq';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { STALLED_TOO_OFTEN } from '../../src/queue/job-state.ts';
import { LOCK_NOT_RENEWED } from '../../workers/lock-watch.ts';
import { testConfig } from '../support/harness.ts';
import { until } from '../support/until.ts';

const QUEUE = 'texts';
const LOCK_MS = 200;

/** Baton recognises two errors of BullMQ by their text, because nothing else tells them apart. */
describe('the error texts of BullMQ that Baton recognises', () => {
  const { queue: config } = testConfig();
  let connection: Redis;
  let queue: Queue;
  let worker: Worker | undefined;

  beforeEach(() => {
    connection = new Redis(config.redisUrl, { maxRetriesPerRequest: null });
    queue = new Queue(QUEUE, { connection, prefix: config.prefix });
  });
  afterEach(async () => {
    await worker?.close();
    await queue.obliterate({ force: true });
    await queue.close();
    connection.disconnect();
  });

  function start(work: () => Promise<void>): Worker {
    worker = new Worker(QUEUE, work, {
      connection,
      prefix: config.prefix,
      lockDuration: LOCK_MS,
      stalledInterval: LOCK_MS,
      maxStalledCount: 0,
    });
    worker.on('error', () => undefined);
    return worker;
  }

  it('are the same when a worker cannot renew the lock of a job', async () => {
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const running = start(() => ended);
    const texts: string[] = [];
    running.on('error', ({ message }) => texts.push(message));
    await queue.add('job', {}, { jobId: 'op-locked' });
    await once(running, 'active');
    await connection.del(`${queue.toKey('op-locked')}:lock`);
    const jobIdIn = (text: string): string | undefined => LOCK_NOT_RENEWED.exec(text)?.[1];
    await until('BullMQ to report the lost lock', () => texts.some((text) => jobIdIn(text) === 'op-locked'));
    end();
  });

  it('are the same when a job has lost its worker too often', async () => {
    const dead = new Worker(QUEUE, null, { connection, prefix: config.prefix, lockDuration: LOCK_MS });
    await queue.add('job', {}, { jobId: 'op-stalled', attempts: 5 });
    const taken = (await dead.getNextJob('token')) as Job | undefined;
    expect(taken?.id).toBe('op-stalled');
    await dead.close();
    start(() => Promise.resolve());
    const failed = await until('BullMQ to fail the job', async () => {
      const job = (await queue.getJob('op-stalled')) as Job | undefined;
      return job?.finishedOn !== undefined && job;
    });
    expect(failed.failedReason).toBe(STALLED_TOO_OFTEN);
  });
});
