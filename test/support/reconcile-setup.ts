import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import type { ReconciledJobs } from '../../src/reconcile/ports.ts';
import type { ReconcileDeps, ReconcileReport } from '../../src/reconcile/pass.ts';
import { reconcile } from '../../src/reconcile/reconcile.ts';
import type { WorkerConfig } from '../../src/config.ts';
import { ClaimQueue } from '../../src/claims/claim-queue.ts';
import { CLAIMS_QUEUE, OPERATIONS_QUEUE, RECONCILE_QUEUE } from '../../src/queue/job.ts';
import { OperationQueue } from '../../src/operations/operation-queue.ts';
import { LostJobs } from '../../src/reconcile/lost-jobs.ts';
import { ReconciledQueues } from '../../src/reconcile/reconciled-queues.ts';
import { Harness } from './harness.ts';
import { RawQueue } from './raw-queue.ts';
import type { BulkInput } from './any-request.ts';
import { until } from './until.ts';

export const SETTINGS = { batchConversationsMax: 5, batchesInFlightMax: 1 } as const;

const ignore = (): void => undefined;

/** The report of a pass that changed nothing. */
export const NOTHING: ReconcileReport = {
  jobsRestored: 0,
  jobsCreated: 0,
  jobsRetried: 0,
  failed: 0,
  claimsEnded: 0,
  poolsNotified: 0,
  expired: 0,
  errors: [],
};

/** A harness with access to its queues that can run single reconcile passes. */
export class ReconcileSetup {
  readonly harness: Harness;
  readonly redis: Redis;
  readonly operations: RawQueue;
  readonly claims: RawQueue;
  readonly reconciles: RawQueue;
  readonly jobs: ReconciledJobs;
  private readonly queues: readonly { close(): Promise<void> }[];

  private constructor(harness: Harness) {
    const { redisUrl, prefix } = harness.config.queue;
    this.harness = harness;
    this.redis = new Redis(redisUrl, { maxRetriesPerRequest: null });
    this.operations = new RawQueue(harness, OPERATIONS_QUEUE);
    this.claims = new RawQueue(harness, CLAIMS_QUEUE);
    this.reconciles = new RawQueue(harness, RECONCILE_QUEUE);
    const operations = new OperationQueue(this.redis, prefix, ignore);
    const claims = new ClaimQueue(this.redis, prefix, ignore);
    this.jobs = new ReconciledQueues(operations, claims, new LostJobs(this.redis, prefix));
    this.queues = [operations, claims, this.operations, this.claims, this.reconciles];
  }

  static async open(worker: Partial<WorkerConfig>): Promise<ReconcileSetup> {
    return new ReconcileSetup(await Harness.open({ ...SETTINGS, ...worker }));
  }

  /** Deletes all keys of this test, as FLUSHALL would delete all keys of Redis. */
  async emptyRedis(): Promise<void> {
    const keys = await this.redis.keys(`${this.harness.config.queue.prefix}*`);
    if (keys.length > 0) await this.redis.del(...keys);
  }

  /** Runs one reconcile pass in this process, independent of the schedule. */
  reconcileOnce(deps: Partial<ReconcileDeps> = {}): Promise<ReconcileReport> {
    const { stores, reconcileStore, clock } = this.harness.context;
    return reconcile({ stores, reconcileStore, clock, jobs: this.jobs, receiptsKeptDays: 90, ...deps });
  }

  /** Seeds a campaign of three texters with this many conversations in the pool, longest waiting first. */
  async campaign(conversations: number): Promise<{ campaignId: string; ids: string[] }> {
    const campaignId = await this.harness.seedCampaign(3, { selfAssign: { enabled: true } });
    const seeded = Array.from({ length: conversations }, (_, at) => ({ waitedMs: (conversations - at) * 1_000 }));
    return { campaignId, ids: await this.harness.seedConversations(campaignId, seeded) };
  }

  request(campaignId: string, count: number): BulkInput {
    const operationId = this.harness.newId('op');
    return { kind: 'reassign', operationId, campaignId, from: 'pool', to: 'everyone', status: 'any', count };
  }

  /** Makes every job of the operations' queue fail with this text. */
  async failJob(operationId: string, reason: string): Promise<void> {
    const worker = new Worker(OPERATIONS_QUEUE, () => Promise.reject(new Error(reason)), {
      connection: this.redis,
      prefix: this.harness.config.queue.prefix,
    });
    worker.on('error', ignore);
    await until(`the job of ${operationId} to fail`, async () => (await this.operations.job(operationId))?.isFailed());
    await worker.close();
  }

  async ended(...operationIds: readonly string[]): Promise<void> {
    const { operations } = this.harness.context.database;
    const filter = { _id: { $in: [...operationIds] }, state: 'done' as const };
    const all = async (): Promise<boolean> => (await operations.countDocuments(filter)) === operationIds.length;
    await until(`${operationIds.join(', ')} to be done`, all);
  }

  async close(): Promise<void> {
    await Promise.all(this.queues.map((queue) => queue.close()));
    this.redis.disconnect();
    await this.harness.close();
  }
}
