import { Queue, type Job } from 'bullmq';
import { Redis } from 'ioredis';
import { jobIdOf, OPERATIONS_QUEUE, RECONCILE_QUEUE } from '../../src/queue/job.ts';
import type { Harness } from './harness.ts';
import { until } from './until.ts';

/** Changes a queue past the producer and the worker, as another program could. Default: the queue of operations. */
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

  /** Removes a job, as its age or a loss of data in Redis would. BullMQ removes no job while a worker works on it. */
  async forget(jobId: string): Promise<void> {
    await until(`the removal of job ${jobId}`, async () => {
      try {
        await (await this.job(jobId))?.remove();
        return true;
      } catch (error) {
        if (!(error as Error).message.includes('is locked by another worker')) throw error;
        return false;
      }
    });
  }

  async close(): Promise<void> {
    await this.queue.close();
    this.redis.disconnect();
  }
}

/** Removes one job from a queue, as its age or a loss of data in Redis would. */
export async function removeJob(harness: Harness, queueName: string, jobId: string): Promise<void> {
  const queue = new RawQueue(harness, queueName);
  await queue.forget(jobId);
  await queue.close();
}

/**
 * Lets no worker run a reconcile pass, not even the one that is due when the first worker starts. A pass would create the job
 * of an operation that a test runs without the queue, and a worker would run it too.
 */
export async function pauseReconcile(harness: Harness): Promise<void> {
  const queue = new RawQueue(harness, RECONCILE_QUEUE);
  await queue.queue.pause();
  await queue.close();
}
