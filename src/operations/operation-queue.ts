import { Queue } from 'bullmq';
import type { OperationCommand } from './operation-command.ts';
import type { Operation } from './operation.ts';
import type { RedisConnection } from '../queue/connection.ts';
import { newOperationJob, OPERATION_JOB, OPERATION_JOB_OPTIONS, operationJob } from './operation-job.ts';
import { requestHash } from '../domain/request-hash.ts';
import { jobIdOf } from '../queue/job.ts';
import { OPERATIONS_QUEUE } from '../queue/names.ts';
import { ensureJob, findJob, isIdFree, removeJob, runNow, type JobRepair } from '../queue/job-state.ts';

/** The operations' queue, as the worker sees it. */
export class OperationQueue {
  private readonly queue: Queue;

  constructor(connection: RedisConnection, prefix: string, onError: (error: Error) => void) {
    this.queue = new Queue(OPERATIONS_QUEUE, { connection, prefix });
    this.queue.on('error', onError);
  }

  /**
   * Sees to it that an unfinished operation is carried on now: brings its snoozed job forward, takes up one that had
   * been given up, and makes a new one from the ledger when the queue has lost it. Safe to repeat.
   */
  async wake(operation: Operation): Promise<void> {
    const job = await findJob(this.queue, operation.operationId);
    if (job && isIdFree(job)) await job.remove();
    if (!job || isIdFree(job)) return this.add(operation);
    await runNow(job);
  }

  /** What was sent under an id, whether or not anybody has begun with it; `undefined` when that can never be carried out. */
  async findSent(operationId: string): Promise<OperationCommand | undefined> {
    const job = await findJob(this.queue, operationId);
    if (!job || isIdFree(job)) return undefined;
    const { success, data } = operationJob.safeParse(job.data);
    if (!success || data.request.operationId !== operationId) return undefined;
    const { request, sendId } = data;
    return { request, requestHash: requestHash(request), sendId };
  }

  /** Sees to it that an unfinished operation has a job; see {@link ensureJob}. */
  async ensureJob(operation: Operation, isUnfinished: () => Promise<boolean>): Promise<JobRepair> {
    return ensureJob(this.queue, { operationId: operation.operationId, isUnfinished, add: () => this.add(operation) });
  }

  async forget(operationId: string): Promise<void> {
    await removeJob(this.queue, operationId);
  }

  async close(): Promise<void> {
    await this.queue.close();
  }

  private async add(operation: Operation): Promise<void> {
    const job = newOperationJob(operation.request, operation.createdBySendId);
    await this.queue.add(OPERATION_JOB, job, { ...OPERATION_JOB_OPTIONS, jobId: jobIdOf(operation.operationId) });
  }
}
