import { Worker, type Processor } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Claim } from '../src/domain/claim.ts';
import type { Config } from '../src/config.ts';
import { createContext, type Context } from '../src/context.ts';
import type { Logger } from '../src/logger.ts';
import { ClaimDesk, type DeskOptions } from '../src/queue/claim-desk.ts';
import { ClaimQueue } from '../src/queue/claim-queue.ts';
import { connectWorker } from '../src/queue/connection.ts';
import { CLAIMS_QUEUE, OPERATIONS_QUEUE, PREVIEWS_QUEUE } from '../src/queue/contract.ts';
import { OperationQueue } from '../src/queue/operation-queue.ts';
import { ClaimHandler } from './claim-handler.ts';
import { closeAll } from './closing.ts';
import { processorOf, type Handler } from './executor.ts';
import { OperationHandler } from './operation-handler.ts';
import { PreviewHandler } from './preview-handler.ts';
import { reporter } from './reporter.ts';

/**
 * How often a job's worker may die before the queue gives the job up. High, because the count is never reset while an
 * operation of a million conversations is taken up thousands of times; attempts are what limits a job that fails.
 */
const STALLED_COUNT_MAX = 100;

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
  const start = (name: string, handler: Handler, concurrency: number): Worker =>
    startWorker(config, parts, { name, processor: processorOf(handler, logger), concurrency });
  const { context, operations, claims, desk } = parts;
  const workers = [
    start(OPERATIONS_QUEUE, new OperationHandler(context, operations, claims, config.worker), operationConcurrency),
    start(CLAIMS_QUEUE, new ClaimHandler(context, desk, claims), claimConcurrency),
    start(PREVIEWS_QUEUE, new PreviewHandler(context), previewConcurrency),
  ];
  return {
    ready: Promise.all(workers.map((worker) => worker.waitUntilReady())).then(() => undefined),
    close: () => closeAll({ ...parts, workers }, config.worker.closeTimeoutMs),
  };
}

/** What the handlers share. */
interface Parts {
  readonly context: Context;
  readonly redis: Redis;
  readonly subscriber: Redis;
  readonly operations: OperationQueue;
  readonly claims: ClaimQueue;
  readonly desk: ClaimDesk;
  readonly onError: (error: Error) => void;
}

async function open(config: Config, logger: Logger): Promise<Parts> {
  const onError = reporter(logger);
  const { redisUrl, prefix } = config.queue;
  const context = await createContext(config);
  await context.database.ensureIndexes();
  const redis = connectWorker(redisUrl, onError);
  const subscriber = connectWorker(redisUrl, onError);
  const claims = new ClaimQueue(redis, prefix, onError);
  const onCompleted = (completed: readonly Claim[]): void => {
    for (const { operationId } of completed) claims.wake(operationId).catch(onError);
  };
  const serve: DeskOptions['serve'] = (campaignId, commands) => context.stores.claims.serve(campaignId, commands);
  const desk = new ClaimDesk({ redis, subscriber, prefix, serve, onCompleted, onError });
  await desk.open();
  const operations = new OperationQueue(redis, prefix, onError);
  return { context, redis, subscriber, operations, claims, desk, onError };
}

interface WorkerParts {
  readonly name: string;
  readonly processor: Processor;
  readonly concurrency: number;
}

function startWorker({ queue, worker: config }: Config, { redis, onError }: Parts, parts: WorkerParts): Worker {
  const worker = new Worker(parts.name, parts.processor, {
    connection: redis,
    prefix: queue.prefix,
    concurrency: parts.concurrency,
    lockDuration: config.lockMs,
    stalledInterval: config.stalledCheckMs,
    maxStalledCount: STALLED_COUNT_MAX,
  });
  worker.on('error', onError);
  // Without its lock a job may be running elsewhere: stop here. What both write is guarded all the same.
  worker.on('lockRenewalFailed', (jobIds) => jobIds.forEach((id) => worker.cancelJob(id, 'lock lost')));
  return worker;
}
