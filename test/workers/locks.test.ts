import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Locks } from '../../workers/locks.ts';
import { testConfig } from '../support/harness.ts';
import { until } from '../support/until.ts';

const LOCK_MS = 20;

describe('a lock that could not be renewed', () => {
  const { queue } = testConfig();
  const redis = new Redis(queue.redisUrl, { maxRetriesPerRequest: null });
  const worker = new Worker('locks', null, { connection: redis, prefix: queue.prefix });
  const cancelled = vi.spyOn(worker, 'cancelJob').mockReturnValue(true);
  const told: string[] = [];
  const locks = new Locks(LOCK_MS);
  locks.watch(worker, (error) => told.push(error.message));
  beforeEach(() => {
    cancelled.mockClear();
    told.splice(0);
  });
  afterAll(async () => {
    await worker.close();
    redis.disconnect();
  });

  /** As the queue's own lock keeper says it. */
  function fail(jobId: string): void {
    worker.emit('lockRenewalFailed', [jobId]);
    worker.emit('error', new Error(`could not renew lock for job ${jobId}`));
  }

  it('stops its job, and is told', () => {
    fail('op-1');
    expect(cancelled.mock.calls).toEqual([['op-1', 'lock lost']]);
    expect(told).toEqual(['could not renew lock for job op-1']);
  });

  it('is no news of a job that is being given back, for as long as a lock lasts', async () => {
    locks.giveBack('op-2');
    fail('op-2');
    expect([cancelled.mock.calls, told]).toEqual([[], []]);
    fail('op-3');
    expect(told).toHaveLength(1);
    await until('the job to be at work again', () => {
      fail('op-2');
      return told.length > 1;
    });
  });

  it('is not confused with any other trouble', () => {
    worker.emit('error', new Error('read ECONNRESET'));
    expect(told).toEqual(['read ECONNRESET']);
  });
});
