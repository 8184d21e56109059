import { Queue, type Job } from 'bullmq';
import { z } from 'zod';
import { claimJob } from '../claims/index.ts';
import { failedAttempt, parseFailureText } from '../domain/stored-error.ts';
import { operationJob, OperationQueue, type Operation } from '../operations/index.ts';
import { withRedis, type QueueAddress, type RedisConnection } from '../queue/connection.ts';
import { findJob, hasFailed, hasStalledTooOften, removeEnded, runNow, willRun } from '../queue/job-state.ts';
import { CLAIMS_QUEUE, OPERATIONS_QUEUE } from '../queue/job.ts';
import { readJobs } from '../queue/read-job.ts';
import type { FailedJob, FailedJobs } from './ports.ts';

const FAILED_PAGE = 200;

const anyJob = z.union([operationJob, claimJob]);

/** Runs `work` over a Redis connection of its own. Throws when Redis cannot be reached. */
export async function withFailedJobs<Result>(
  { redisUrl, prefix }: QueueAddress,
  work: (jobs: FailedJobs) => Promise<Result>,
): Promise<Result> {
  return withRedis(redisUrl, async (redis) => {
    const jobs = new FailedJobQueues(redis, prefix);
    try {
      return await work(jobs);
    } finally {
      await jobs.close();
    }
  });
}

/** The failed jobs of both queues. For an operation that was never recorded, its failed job is the only trace. */
class FailedJobQueues implements FailedJobs {
  private readonly operations: OperationQueue;
  private readonly queues: readonly Queue[];

  constructor(connection: RedisConnection, prefix: string) {
    this.operations = new OperationQueue(connection, prefix, () => undefined, true);
    this.queues = [OPERATIONS_QUEUE, CLAIMS_QUEUE].map(
      (name) => new Queue(name, { connection, prefix, skipVersionCheck: true }),
    );
    for (const queue of this.queues) queue.on('error', () => undefined);
  }

  /** When a job is retried during the listing, the jobs behind it move up by one place, and one may be left out. */
  async *all(): AsyncGenerator<FailedJob> {
    for (const queue of this.queues) {
      for (let at = 0; ; at += FAILED_PAGE) {
        const page = await readJobs(queue, 'failed', at, at + FAILED_PAGE - 1);
        if (page.length === 0) break;
        yield* page.flatMap((job) => toFailedJob(job) ?? []);
      }
    }
  }

  async find(operationId: string): Promise<FailedJob | 'will-run' | undefined> {
    const found = await this.locate(operationId);
    if (!found) return undefined;
    return (await willRun(found.job)) ? 'will-run' : toFailedJob(found.job);
  }

  async retry(operationId: string): Promise<boolean> {
    const found = await this.locate(operationId);
    if (!found || !toFailedJob(found.job)) return false;
    const { queue, job } = found;
    if (hasStalledTooOften(job)) await replace(queue, job);
    else await runNow(queue, job);
    return true;
  }

  renew(operation: Operation): Promise<void> {
    return this.operations.renew(operation);
  }

  async close(): Promise<void> {
    await Promise.all([this.operations, ...this.queues].map((queue) => queue.close()));
  }

  private async locate(operationId: string): Promise<{ queue: Queue; job: Job } | undefined> {
    for (const queue of this.queues) {
      const job = await findJob(queue, operationId);
      if (job) return { queue, job };
    }
    return undefined;
  }
}

/** Returns `undefined` unless the job used up its attempts on transient errors and its data is a valid request. */
function toFailedJob(job: Job<unknown, unknown>): FailedJob | undefined {
  if (!hasFailed(job) || parseFailureText(job.failedReason)) return undefined;
  const { success, data } = anyJob.safeParse(job.data);
  if (!success) return undefined;
  const { operationId, campaignId, kind } = data.request;
  const last = failedAttempt(job.failedReason, new Date(job.finishedOn ?? 0));
  return { operationId, campaignId, kind, attempts: job.attemptsMade, last };
}

/** BullMQ never resets a job's count of stalls, so a retried job would fail again at once. */
async function replace(queue: Queue, job: Job): Promise<void> {
  if (!(await removeEnded(queue, job))) return;
  await queue.add(job.name, job.data, { ...job.opts, ...(job.id !== undefined && { jobId: job.id }) });
}
