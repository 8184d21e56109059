import { Queue } from 'bullmq';
import type { RedisConnection } from '../queue/connection.ts';
import { forgetUnknownAnswers, type KnownAmong } from '../queue/ended-jobs.ts';
import { ensureJob, findJob, removeJob, runNow, type JobRepair } from '../queue/job-state.ts';
import { CLAIMS_QUEUE, jobIdOf } from '../queue/job.ts';
import type { Claim } from './claim.ts';
import type { ClaimStore } from './ports.ts';
import {
  CLAIM_JOB,
  CLAIM_JOB_OPTIONS,
  newClaimJob,
  newPoolRefilledJob,
  POOL_REFILLED_JOB,
  poolRefilledJobOptions,
} from './contract.ts';

/** The queue of claims as workers and imports use it. */
export class ClaimQueue {
  private readonly queue: Queue;

  constructor(connection: RedisConnection, prefix: string, onError: (error: Error) => void) {
    this.queue = new Queue(CLAIMS_QUEUE, { connection, prefix });
    this.queue.on('error', onError);
  }

  /**
   * Starts the snoozed job of a claim that has ended, so that the texter gets the answer. Returns false when it is not sure that the
   * job finds the end: it is lost, or a worker runs it and may snooze it again.
   */
  async wake(operationId: string): Promise<boolean> {
    const job = await findJob(this.queue, operationId);
    return job !== undefined && (await runNow(this.queue, job)) !== 'active';
  }

  /** Starts the job of a claim that has ended, and adds the job again if it was lost. Returns what {@link wake} returns. */
  async answer(claim: Claim): Promise<boolean> {
    const job = await findJob(this.queue, claim.operationId);
    if (job) return (await runNow(this.queue, job)) !== 'active';
    await this.add(claim);
    return true;
  }

  /** Makes sure that a waiting claim has a job; see {@link ensureJob}. */
  async ensureJob(claim: Claim, isUnfinished: () => Promise<boolean>): Promise<JobRepair> {
    return ensureJob(this.queue, { operationId: claim.operationId, isUnfinished, add: () => this.add(claim) });
  }

  /** Removes the answers about claims that the database does not know; see {@link forgetUnknownAnswers}. */
  forgetUnknown(knownAmong: KnownAmong): Promise<number> {
    return forgetUnknownAnswers(this.queue, knownAmong);
  }

  async forget(operationId: string): Promise<void> {
    await removeJob(this.queue, operationId);
  }

  /** Reports that conversations came back to a campaign's pool. Safe to repeat. */
  async poolRefilled(campaignId: string): Promise<void> {
    await this.queue.add(POOL_REFILLED_JOB, newPoolRefilledJob(campaignId), poolRefilledJobOptions(campaignId));
  }

  async close(): Promise<void> {
    await this.queue.close();
  }

  private async add({ request, createdBySendId, operationId }: Claim): Promise<void> {
    await this.queue.add(CLAIM_JOB, newClaimJob(request, createdBySendId), {
      ...CLAIM_JOB_OPTIONS,
      jobId: jobIdOf(operationId),
    });
  }
}

/**
 * Tells the jobs of claims that they have stopped waiting. The store has marked such a claim in the write that ended it. The mark
 * goes when its job is sure to run, and reconcile wakes the jobs of the marked claims. So a worker that dies in between
 * delays an answer, and loses none.
 */
export class EndedClaims {
  private readonly store: Pick<ClaimStore, 'noteWoken'>;
  private readonly queue: ClaimQueue;

  constructor(store: Pick<ClaimStore, 'noteWoken'>, queue: ClaimQueue) {
    this.store = store;
    this.queue = queue;
  }

  async wake(operationIds: readonly string[]): Promise<void> {
    const woken = operationIds.map(async (id) => ((await this.queue.wake(id)) ? [id] : []));
    await this.store.noteWoken((await Promise.all(woken)).flat());
  }
}
