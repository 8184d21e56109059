import type { RedisConnection } from '../queue/connection.ts';
import { Queue, type Job } from 'bullmq';
import type { FailedJob, FailedJobs } from './retry-ports.ts';
import type { ClaimRequest } from '../claims/index.ts';
import { parseFailureText } from '../domain/stored-error.ts';
import { failedAttempt } from '../domain/failed-attempt.ts';
import type { Operation, OperationRequest } from '../operations/index.ts';
import { bringForward, hasFailed } from '../queue/promote-job.ts';
import { requestOfJob } from '../producer/index.ts';
import { newOperationJob, OPERATION_JOB, OPERATION_JOB_OPTIONS } from '../operations/index.ts';
import { jobIdOf } from '../queue/job-id.ts';
import { CLAIMS_QUEUE, OPERATIONS_QUEUE } from '../queue/names.ts';
import { hasStalledTooOften, isAlive, jobOf } from '../queue/ensure-job.ts';
import { withRedis, type QueueAddress } from '../queue/with-redis.ts';

/** Read at a time. */
const FAILED_PAGE = 200;

/** Works with the failed jobs over a connection of its own. Throws when Redis is out of reach. */
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

/** The failed jobs of all who ask for something: what is known of an operation that never reached the ledger. */
class FailedJobQueues implements FailedJobs {
  private readonly operations: Queue;
  private readonly queues: readonly Queue[];

  constructor(connection: RedisConnection, prefix: string) {
    this.queues = [OPERATIONS_QUEUE, CLAIMS_QUEUE].map((name) => new Queue(name, { connection, prefix }));
    for (const queue of this.queues) queue.on('error', () => undefined);
    this.operations = this.queues[0] as Queue;
  }

  /** One that is taken up meanwhile moves those behind it by a place: they are found the next time. */
  async *all(): AsyncGenerator<FailedJob> {
    for (const queue of this.queues) {
      for (let at = 0; ; at += FAILED_PAGE) {
        const page = (await queue.getFailed(at, at + FAILED_PAGE - 1)) as (Job | undefined)[];
        if (page.length === 0) break;
        yield* page.flatMap((job) => (job && asFailed(job)) ?? []);
      }
    }
  }

  async find(operationId: string): Promise<FailedJob | 'alive' | undefined> {
    const { job } = await this.jobOf(operationId);
    if (!job) return undefined;
    return (await isAlive(job)) ? 'alive' : asFailed(job);
  }

  async takeUp(operationId: string): Promise<boolean> {
    const { queue, job } = await this.jobOf(operationId);
    if (!job || !asFailed(job)) return false;
    if (hasStalledTooOften(job)) await replace(queue, job);
    else await bringForward(job);
    return true;
  }

  async renew(operation: Operation): Promise<void> {
    const { operationId, request, createdBySendId } = operation;
    const job = await jobOf(this.operations, operationId);
    if (job && (await isAlive(job))) return bringForward(job);
    if (job && !(await isRemoved(job))) return;
    const options = { ...OPERATION_JOB_OPTIONS, jobId: jobIdOf(operationId) };
    await this.operations.add(OPERATION_JOB, newOperationJob(request, createdBySendId), options);
  }

  async close(): Promise<void> {
    await Promise.all(this.queues.map((queue) => queue.close()));
  }

  private async jobOf(operationId: string): Promise<{ queue: Queue; job: Job | undefined }> {
    for (const queue of this.queues) {
      const job = await jobOf(queue, operationId);
      if (job) return { queue, job };
    }
    return { queue: this.operations, job: undefined };
  }
}

/** `undefined` for a job that was refused, one that asks for nothing, and one that has not failed for good. */
function asFailed(job: Job<unknown, unknown>): FailedJob | undefined {
  const request = requestOfJob(job.data);
  if (!request || !hasFailed(job) || parseFailureText(job.failedReason)) return undefined;
  return { ...namesOf(request), attempts: job.attemptsMade, last: lastOf(job) };
}

function namesOf({ operationId, campaignId, kind }: OperationRequest | ClaimRequest) {
  return { operationId, campaignId, kind };
}

function lastOf({ failedReason, finishedOn = 0 }: Job<unknown, unknown>): FailedJob['last'] {
  return failedAttempt(failedReason, new Date(finishedOn));
}

/** False when somebody else has taken it up meanwhile, and so holds it. */
async function isRemoved(job: Job): Promise<boolean> {
  try {
    await job.remove();
    return true;
  } catch (error) {
    if (await isAlive(job)) return false;
    throw error;
  }
}

async function replace(queue: Queue, job: Job): Promise<void> {
  await job.remove();
  await queue.add(job.name, job.data, { ...job.opts, ...(job.id !== undefined && { jobId: job.id }) });
}
