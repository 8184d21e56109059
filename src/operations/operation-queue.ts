import { Queue } from 'bullmq';
import { requestHash } from '../domain/requests.ts';
import type { RedisConnection } from '../queue/connection.ts';
import { forgetUnknownAnswers, type KnownAmong } from '../queue/ended-jobs.ts';
import {
  ensureJob,
  findJob,
  isIdFree,
  removeEnded,
  removeJob,
  runNow,
  willRun,
  type JobRepair,
} from '../queue/job-state.ts';
import { OPERATIONS_QUEUE } from '../queue/job.ts';
import { AcceptanceOfTaken } from './accept-taken.ts';
import { newOperationJob, OPERATION_JOB, operationJob, operationJobOptions } from './jobs.ts';
import type { Operation, OperationCommand } from './operation.ts';
import type { LifecycleDeps } from './lifecycle.ts';
import { SentJobs } from './sent-jobs.ts';
import { SendingOrder } from './sending-order.ts';

/** The queue of operations, as workers use it. Producers send through `queue/sender.ts`. */
export class OperationQueue {
  private readonly queue: Queue;
  private readonly connection: RedisConnection;

  constructor(connection: RedisConnection, prefix: string, onError: (error: Error) => void, skipVersionCheck = false) {
    this.connection = connection;
    this.queue = new Queue(OPERATIONS_QUEUE, { connection, prefix, skipVersionCheck });
    this.queue.on('error', onError);
  }

  /**
   * Makes the job of an unfinished operation run now: promotes a snoozed job, retries a failed one, and adds a new one
   * when Redis has lost it. Safe to repeat.
   */
  async wake(operation: Operation): Promise<void> {
    const job = await findJob(this.queue, operation.operationId);
    if (job && isIdFree(job)) await removeEnded(this.queue, job);
    if (!job || isIdFree(job)) return this.add(operation);
    await runNow(this.queue, job);
  }

  /** Makes sure that a reopened operation has a job that will run. A new job has all its attempts. */
  async renew(operation: Operation): Promise<void> {
    const job = await findJob(this.queue, operation.operationId);
    if (job && (await willRun(job))) return void (await runNow(this.queue, job));
    if (job && !(await removeEnded(this.queue, job))) return;
    await this.add(operation);
  }

  /** Returns the request of a job that is in the queue. Returns `undefined` when no worker could ever accept it. */
  async findSent(operationId: string): Promise<OperationCommand | undefined> {
    const job = await findJob(this.queue, operationId);
    if (!job || isIdFree(job)) return undefined;
    const { success, data } = operationJob.safeParse(job.data);
    if (!success || data.request.operationId !== operationId) return undefined;
    const { request, sendId } = data;
    return { request, requestHash: requestHash(request), sendId };
  }

  /** Adds or retries the job of an unfinished operation when it has none that will run; see {@link ensureJob}. */
  async ensureJob(operation: Operation, isUnfinished: () => Promise<boolean>): Promise<JobRepair> {
    return ensureJob(this.queue, { operationId: operation.operationId, isUnfinished, add: () => this.add(operation) });
  }

  /** Removes the answers about operations that the database does not know; see {@link forgetUnknownAnswers}. */
  forgetUnknown(knownAmong: KnownAmong): Promise<number> {
    return forgetUnknownAnswers(this.queue, knownAmong);
  }

  async forget(operationId: string): Promise<void> {
    await removeJob(this.queue, operationId);
  }

  /** The order in which the jobs of this queue were sent. */
  sendingOrder(deps: LifecycleDeps): SendingOrder {
    const jobs = new SentJobs(this.queue, this.connection);
    return new SendingOrder(jobs, deps.stores.operations, new AcceptanceOfTaken(deps, jobs));
  }

  async close(): Promise<void> {
    await this.queue.close();
  }

  private async add({ operationId, request, createdBySendId }: Operation): Promise<void> {
    await this.queue.add(OPERATION_JOB, newOperationJob(request, createdBySendId), operationJobOptions(operationId));
  }
}
