import { Queue, type Job } from 'bullmq';
import { Redis } from 'ioredis';
import { jobIdOf, OPERATIONS_QUEUE } from '../../src/queue/job.ts';
import type { Harness } from './harness.ts';

/** The operations' queue past every producer: what somebody else's program, or a hand, can do to it. */
export class RawQueue {
  readonly queue: Queue;
  readonly redis: Redis;

  constructor(harness: Harness, name = OPERATIONS_QUEUE) {
    const { redisUrl, prefix } = harness.config.queue;
    this.redis = new Redis(redisUrl, { maxRetriesPerRequest: null });
    this.queue = new Queue(name, { connection: this.redis, prefix });
  }

  async job(jobId: string): Promise<Job | undefined> {
    return ((await this.queue.getJob(jobIdOf(jobId))) ?? (await this.queue.getJob(jobId))) as Job | undefined;
  }

  /** As if its time in Redis had run out, or Redis had been lost. */
  async forget(jobId: string): Promise<void> {
    await (await this.job(jobId))?.remove();
  }

  async close(): Promise<void> {
    await this.queue.close();
    this.redis.disconnect();
  }
}
