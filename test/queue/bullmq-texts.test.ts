import { Queue, Worker, type Job, type WorkerOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { STALLED_TOO_OFTEN } from '../../src/queue/job-state.ts';
import { testConfig } from '../support/harness.ts';
import { until } from '../support/until.ts';

const QUEUE = 'texts';
const LOCK_MS = 200;

/** Baton recognises one error of BullMQ by its text, because nothing else tells it apart. */
describe('the error texts that Baton recognises in BullMQ', () => {
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

  function start(work: () => Promise<void>, options: Partial<WorkerOptions>): Worker {
    worker = new Worker(QUEUE, work, { connection, prefix: config.prefix, lockDuration: LOCK_MS, ...options });
    worker.on('error', () => undefined);
    return worker;
  }

  it('include the text for a job that has lost its worker too often', async () => {
    const dead = new Worker(QUEUE, null, { connection, prefix: config.prefix, lockDuration: LOCK_MS });
    await queue.add('job', {}, { jobId: 'op-stalled', attempts: 5 });
    const taken = (await dead.getNextJob('token')) as Job | undefined;
    expect(taken?.id).toBe('op-stalled');
    await dead.close();
    start(() => Promise.resolve(), { stalledInterval: LOCK_MS, maxStalledCount: 0 });
    const failed = await until('BullMQ to fail the job', async () => {
      const job = (await queue.getJob('op-stalled')) as Job | undefined;
      return job?.finishedOn !== undefined && job;
    });
    expect(failed.failedReason).toBe(STALLED_TOO_OFTEN);
  });
});
