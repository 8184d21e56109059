import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { CLAIMS_QUEUE, jobIdOf, newPoolRefilledJob, poolRefilledJobOptions, POOL_REFILLED_JOB } from './contract.ts';
import { bringForward } from './bring-forward.ts';

/** The claims' queue, as the worker and whoever fills a pool see it. */
export class ClaimQueue {
  private readonly queue: Queue;

  constructor(connection: Redis, prefix: string, onError: (error: Error) => void) {
    this.queue = new Queue(CLAIMS_QUEUE, { connection, prefix });
    this.queue.on('error', onError);
  }

  /** A parked claim has got what it waited for: lets its job end now. */
  async wake(claimId: string): Promise<void> {
    const job = await this.queue.getJob(jobIdOf(claimId));
    if (job) await bringForward(job);
  }

  /** Conversations came back to a campaign's pool. Told many times at once, it is looked into once or twice. */
  async poolRefilled(campaignId: string): Promise<void> {
    await this.queue.add(POOL_REFILLED_JOB, newPoolRefilledJob(campaignId), poolRefilledJobOptions(campaignId));
  }

  async close(): Promise<void> {
    await this.queue.close();
  }
}
