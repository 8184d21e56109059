import { Worker, type Processor } from 'bullmq';
import { type ReconcileDeps, ReconciledQueues, ReconcileSchedule } from '../src/reconcile/index.ts';
import { type Claim, ClaimCoordinator, ClaimQueue, type CoordinatorOptions } from '../src/claims/index.ts';
import type { Config } from '../src/config.ts';
import { openContext, type Context } from '../src/context.ts';
import type { Logger } from '../src/telemetry/index.ts';
import { connectWorker, type RedisConnection } from '../src/queue/connection.ts';
import { CLAIMS_QUEUE, CONTROLS_QUEUE, OPERATIONS_QUEUE, PREVIEWS_QUEUE, RECONCILE_QUEUE } from '../src/queue/names.ts';
import { OperationQueue } from '../src/operations/index.ts';
import { createUnblockingBackend } from '../src/queue/unblocking-backend.ts';
import { AfterEnd } from './after-end.ts';
import { ClaimHandler } from './claim-handler.ts';
import { closeAll } from './closing.ts';
import { ControlHandler } from './cancel-handler.ts';
import { processorOf, type Handler } from './executor.ts';
import { OperationHandler } from './operation-handler.ts';
import { LockWatch } from './lock-watch.ts';
import { Pace } from './pace.ts';
import { PreviewHandler } from './preview-handler.ts';
import { reporter } from './reporter.ts';
import { ScheduleKeeper } from './schedule-keeper.ts';
import { ReconcileHandler } from './reconcile-handler.ts';

/**
 * How often a job's worker may die before the queue gives the job up. High, because the count is never reset while an
 * operation of a million conversations is taken up thousands of times; attempts are what limits a job that fails.
 */
const STALLED_COUNT_MAX = 100;

/** Controls are few and short, and never wait behind what they control. */
const CONTROL_CONCURRENCY = 4;
/** The queue sees to it that there is one at a time over all workers, too. */
const RECONCILE_CONCURRENCY = 1;

export interface Service {
  /** Resolves when every queue is being listened to. */
  readonly ready: Promise<void>;
  /** Finishes the batches in hand, gives jobs back unharmed, and closes; gives up waiting after `closeTimeoutMs`. */
  close(): Promise<'closed' | 'timed-out'>;
}

/** Starts a worker process's work: its connections, its queues, its handlers. */
export async function startService(config: Config, logger: Logger): Promise<Service> {
  const parts = await open(config, logger);
  const { operationConcurrency, previewConcurrency, claimConcurrency } = config.worker;
  const start = (name: string, handler: Handler, concurrency: number): Worker => {
    const locks = new LockWatch(config.worker.lockMs);
    return startWorker(config, parts, { name, processor: processorOf(handler, logger, locks), locks, concurrency });
  };
  const { context, operations, claims, coordinator } = parts;
  const afterEnd = new AfterEnd(context, operations, claims);
  const pace = new Pace();
  const operationHandler = new OperationHandler(context, operations, afterEnd, pace, config.worker);
  const workers = [
    start(OPERATIONS_QUEUE, operationHandler, operationConcurrency),
    start(CLAIMS_QUEUE, new ClaimHandler(context, coordinator, claims, pace), claimConcurrency),
    start(PREVIEWS_QUEUE, new PreviewHandler(context), previewConcurrency),
    start(CONTROLS_QUEUE, new ControlHandler(context, operations, claims, afterEnd), CONTROL_CONCURRENCY),
    start(RECONCILE_QUEUE, new ReconcileHandler(reconcileDeps(config, parts)), RECONCILE_CONCURRENCY),
  ];
  parts.keeper.start();
  return {
    ready: Promise.all(workers.map((worker) => worker.waitUntilReady())).then(() => undefined),
    close: () => closeAll({ ...parts, workers }, config.worker.closeTimeoutMs),
  };
}

/** What the handlers share. */
interface Parts {
  readonly context: Context;
  readonly redis: RedisConnection;
  readonly subscriber: RedisConnection;
  readonly operations: OperationQueue;
  readonly claims: ClaimQueue;
  readonly coordinator: ClaimCoordinator;
  readonly keeper: ScheduleKeeper;
  readonly onError: (error: Error) => void;
}

async function open(config: Config, logger: Logger): Promise<Parts> {
  const onError = reporter(logger);
  const { redisUrl, prefix } = config.queue;
  const context = await openContext(config);
  const redis = connectWorker(redisUrl, onError);
  const subscriber = connectWorker(redisUrl, onError);
  const claims = new ClaimQueue(redis, prefix, onError);
  const onCompleted = (completed: readonly Claim[]): void => {
    for (const { operationId } of completed) claims.wake(operationId).catch(onError);
  };
  const serve: CoordinatorOptions['serve'] = (campaignId, commands) =>
    context.stores.claims.serve(campaignId, commands);
  const coordinator = new ClaimCoordinator({ redis, subscriber, prefix, serve, onCompleted, onError });
  await coordinator.open();
  const operations = new OperationQueue(redis, prefix, onError);
  const { reconcileEveryMs } = config.worker;
  const keeper = new ScheduleKeeper(
    new ReconcileSchedule(redis, prefix, reconcileEveryMs, onError),
    reconcileEveryMs,
    onError,
  );
  return { context, redis, subscriber, operations, claims, coordinator, keeper, onError };
}

function reconcileDeps({ worker }: Config, { context, operations, claims }: Parts): ReconcileDeps {
  const { stores, ledger, clock } = context;
  const jobs = new ReconciledQueues(operations, claims);
  return { stores, ledger, clock, jobs, receiptsKeptDays: worker.receiptsKeptDays };
}

interface WorkerParts {
  readonly name: string;
  readonly processor: Processor;
  readonly locks: LockWatch;
  readonly concurrency: number;
}

function startWorker({ queue, worker: config }: Config, { redis, onError }: Parts, parts: WorkerParts): Worker {
  const options = {
    connection: redis,
    prefix: queue.prefix,
    concurrency: parts.concurrency,
    lockDuration: config.lockMs,
    stalledInterval: config.stalledCheckMs,
    maxStalledCount: STALLED_COUNT_MAX,
  };
  const worker = new Worker(parts.name, parts.processor, options, createUnblockingBackend);
  parts.locks.watch(worker, onError);
  return worker;
}
