import { randomUUID } from 'node:crypto';
import type { Worker } from 'bullmq';
import pTimeout from 'p-timeout';
import type { Config } from '../src/config.ts';
import { createWorkerContext, type WorkerContext } from '../src/worker-context.ts';
import { QueuedLoads } from '../src/operations/index.ts';
import type { Service } from '../src/process/run-service.ts';
import type { ErrorReporter } from '../src/queue/connection.ts';
import { CLAIMS_QUEUE, CONTROLS_QUEUE, OPERATIONS_QUEUE, PREVIEWS_QUEUE, RECONCILE_QUEUE } from '../src/queue/job.ts';
import { LostJobs, ReconciledQueues, RedisQueueMemory } from '../src/reconcile/index.ts';
import { errorReporter, type Logger } from '../src/telemetry/index.ts';
import { AfterEnd } from './after-end.ts';
import { CancelHandler, CancelQueuedHandler } from './cancel-handlers.ts';
import { ClaimHandler } from './claim-handler.ts';
import { ControlHandler } from './control-handler.ts';
import { EraseHandler, OptOutHandler } from './person-handlers.ts';
import { processorOf, type Handler } from './executor.ts';
import { FindHandler, PreviewHandler } from './reading-handlers.ts';
import { LockWatch } from './lock-watch.ts';
import { NewerVersionHandler } from './newer-version.ts';
import { OperationHandler } from './operation-handler.ts';
import { Pace } from './pace.ts';
import { startQueueWorker } from './queue-worker.ts';
import { OwnerWatch } from './owner-watch.ts';
import { QueueWatch } from './queue-watch.ts';
import { ReconcileHandler } from './reconcile-handler.ts';

/**
 * A worker of BullMQ takes one job after the other from Redis. With several of them, claims that are sent together arrive
 * together, also when Redis is far away.
 */
const CLAIM_WORKERS_MAX = 4;
/** Requests to cancel, to find and to opt out are few and short. */
const CONTROL_CONCURRENCY = 4;
/** The queue also limits reconcile passes to one at a time over all workers. */
const RECONCILE_CONCURRENCY = 1;

/**
 * How many jobs a worker takes beyond the operations that it runs at the same time, so that it can write single moves together.
 * Few, because another worker could run these jobs.
 */
const JOBS_BESIDE_OPERATIONS = 60;

/** Connections that are cut get this long to end. */
const DISCONNECT_MS_MAX = 1_000;

export type { Service } from '../src/process/run-service.ts';

/**
 * Starts the work of a worker process: connections, handlers, and one BullMQ worker for each queue. The service is lost when
 * the queues were given to another database. Closing returns unfinished jobs to the queue; after `closeTimeoutMs` it cuts
 * the connections instead, and other workers run the jobs once their locks have expired.
 */
export async function startService(config: Config, logger: Logger): Promise<Service> {
  const reporter = errorReporter(logger);
  const context = await createWorkerContext(config, reporter);
  const { operationQueue, claimQueue, endedClaims } = context;
  const afterEnd = new AfterEnd(context, operationQueue, claimQueue, endedClaims);
  const workers = startWorkers(config, { ...context, afterEnd }, logger, reporter);
  context.schedule.start();
  const { redis } = context;
  const watch = new QueueWatch(
    redis,
    config.queue.prefix,
    logger,
    reporter('the settings of a queue could not be read'),
  );
  const owner = new OwnerWatch({
    ...{ redis, prefix: config.queue.prefix, databaseId: context.databaseId },
    onError: reporter('the database of the queues could not be read'),
  });
  return {
    lost: owner.lost,
    ready: Promise.all(workers.map((worker) => worker.waitUntilReady())).then(() => undefined),
    close: () => {
      watch.close();
      owner.close();
      return close({ ...context, afterEnd }, workers, config.worker.closeTimeoutMs);
    },
  };
}

/** The queues whose jobs run in turn of their campaigns: thousands of jobs of one campaign can come at once. */
const FAIR_QUEUES: readonly string[] = [OPERATIONS_QUEUE, CLAIMS_QUEUE];

type ServiceContext = WorkerContext & { readonly afterEnd: AfterEnd };

function startWorkers(config: Config, context: ServiceContext, logger: Logger, reporter: ErrorReporter): Worker[] {
  const { operationConcurrency, previewConcurrency, claimConcurrency } = config.worker;
  const { receiptsKeptDays, countsSharedForMs } = config.worker;
  const { redis, operationQueue, claimQueue, endedClaims, afterEnd } = context;
  const shared = { pace: new Pace(), loads: new QueuedLoads() };
  const lost = new LostJobs(redis, config.queue.prefix);
  const jobs = new ReconciledQueues(operationQueue, claimQueue, lost);
  const { databaseId } = context;
  const owned = { redis, prefix: config.queue.prefix, databaseId, operations: operationQueue, claims: claimQueue };
  const reconcileDeps = { ...context, jobs, memory: new RedisQueueMemory(owned), receiptsKeptDays };
  const controls = {
    cancel: new CancelHandler(context, operationQueue, endedClaims, afterEnd),
    cancelQueued: new CancelQueuedHandler(context, operationQueue),
    find: new FindHandler(context),
    optOut: new OptOutHandler(context, claimQueue),
    erase: new EraseHandler(context, redis, config.queue.prefix),
  };
  const claimHandler = new ClaimHandler(context, shared);
  const processName = randomUUID();
  const start = (name: string, handler: Handler, concurrency: number): Worker => {
    const locks = new LockWatch(config.worker.lockMs);
    const onError = reporter(`error of the worker of the queue ${name}`);
    const versioned = new NewerVersionHandler(handler, redis, config.worker.newerWaitMs);
    const processor = processorOf(versioned, logger, locks);
    const parts = { name, processName, processor, locks, concurrency, redis, onError };
    return startQueueWorker(config, { ...parts, isFair: FAIR_QUEUES.includes(name) });
  };
  return [
    start(
      OPERATIONS_QUEUE,
      new OperationHandler(context, operationQueue, afterEnd, shared, config.worker),
      operationConcurrency + JOBS_BESIDE_OPERATIONS,
    ),
    ...shares(claimConcurrency, CLAIM_WORKERS_MAX).map((share) => start(CLAIMS_QUEUE, claimHandler, share)),
    start(PREVIEWS_QUEUE, new PreviewHandler(context, countsSharedForMs), previewConcurrency),
    start(CONTROLS_QUEUE, new ControlHandler(controls), CONTROL_CONCURRENCY),
    start(RECONCILE_QUEUE, new ReconcileHandler(reconcileDeps), RECONCILE_CONCURRENCY),
  ];
}

/** Divides the number of jobs at the same time among at most `max` workers. */
function shares(concurrency: number, max: number): number[] {
  const workers = Math.min(concurrency, max);
  return Array.from({ length: workers }, (_, at) => Math.floor((concurrency + at) / workers));
}

/** Closes in the reverse order of starting. A graceful close waits for Redis, which may be away. */
async function close(
  context: ServiceContext,
  workers: readonly Worker[],
  timeoutMs: number,
): Promise<'closed' | 'timed-out'> {
  const closed = closeGracefully(context, workers).then(() => 'closed' as const);
  const ended = await pTimeout(closed, { milliseconds: timeoutMs, fallback: () => 'timed-out' as const });
  if (ended === 'timed-out') {
    const disconnected = Promise.allSettled(workers.map((worker) => worker.disconnect()));
    await pTimeout(disconnected, { milliseconds: DISCONNECT_MS_MAX, fallback: () => undefined });
  }
  await context.close();
  return ended;
}

async function closeGracefully(context: ServiceContext, workers: readonly Worker[]): Promise<void> {
  // A worker that closes takes no new jobs, and its lock watch asks the running ones to stop at their next batch.
  await Promise.all([context.schedule.close(), ...workers.map((worker) => worker.close())]);
  await context.afterEnd.settled();
  await context.closeQueues();
}
