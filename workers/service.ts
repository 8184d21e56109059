import { Worker, type Processor } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Config } from '../src/config.ts';
import { createContext, type Context } from '../src/context.ts';
import type { Logger } from '../src/logger.ts';
import { connectWorker } from '../src/queue/connection.ts';
import { OPERATIONS_QUEUE, PREVIEWS_QUEUE } from '../src/queue/contract.ts';
import { OperationQueue } from '../src/queue/operation-queue.ts';
import { processorOf } from './executor.ts';
import { OperationHandler } from './operation-handler.ts';
import { PreviewHandler } from './preview-handler.ts';

/**
 * How often a job's worker may die before the queue gives the job up. High, because the count is never reset while an
 * operation of a million conversations is taken up thousands of times; attempts are what limits a job that fails.
 */
const STALLED_COUNT_MAX = 100;

export interface Service {
  /** Resolves when both queues are being listened to. */
  readonly ready: Promise<void>;
  /** Finishes the batches in hand, gives jobs back unharmed, and closes; gives up waiting after `closeTimeoutMs`. */
  close(): Promise<'closed' | 'timed-out'>;
}

/** Starts a worker process's work: its connections, its queues, its handlers. */
export async function startService(config: Config, logger: Logger): Promise<Service> {
  const context = await createContext(config);
  await context.database.ensureIndexes();
  const onError = reporter(logger);
  const connection = connectWorker(config.queue.redisUrl, onError);
  const queue = new OperationQueue(connection, config.queue.prefix, onError);
  const { operationConcurrency, previewConcurrency } = config.worker;
  const start = (name: string, processor: Processor, concurrency: number): Worker =>
    startWorker(config, { name, processor, concurrency, connection, onError });
  const operations = new OperationHandler(context, queue, config.worker);
  const workers = [
    start(OPERATIONS_QUEUE, processorOf(operations, logger), operationConcurrency),
    start(PREVIEWS_QUEUE, processorOf(new PreviewHandler(context), logger), previewConcurrency),
  ];
  return {
    ready: Promise.all(workers.map((worker) => worker.waitUntilReady())).then(() => undefined),
    close: () => closeAll({ workers, queue, connection, context }, config.worker.closeTimeoutMs),
  };
}

interface WorkerParts {
  readonly name: string;
  readonly processor: Processor;
  readonly concurrency: number;
  readonly connection: Redis;
  readonly onError: (error: Error) => void;
}

function startWorker({ queue, worker: config }: Config, parts: WorkerParts): Worker {
  const worker = new Worker(parts.name, parts.processor, {
    connection: parts.connection,
    prefix: queue.prefix,
    concurrency: parts.concurrency,
    lockDuration: config.lockMs,
    stalledInterval: config.stalledCheckMs,
    maxStalledCount: STALLED_COUNT_MAX,
  });
  worker.on('error', parts.onError);
  // Without its lock a job may be running elsewhere: stop here. What both write is guarded all the same.
  worker.on('lockRenewalFailed', (jobIds) => jobIds.forEach((id) => worker.cancelJob(id, 'lock lost')));
  return worker;
}

interface Parts {
  readonly workers: readonly Worker[];
  readonly queue: OperationQueue;
  readonly connection: Redis;
  readonly context: Context;
}

/** In the reverse order of building. Redis may be away, and then a graceful close would wait for it for ever. */
async function closeAll(parts: Parts, timeoutMs: number): Promise<'closed' | 'timed-out'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'timed-out'>((resolve) => {
    timer = setTimeout(() => resolve('timed-out'), timeoutMs);
  });
  const closed = closeGracefully(parts).then(() => 'closed' as const);
  const how = await Promise.race([closed, late]);
  clearTimeout(timer);
  if (how === 'timed-out') await Promise.allSettled(parts.workers.map((worker) => worker.close(true)));
  parts.connection.disconnect();
  await parts.context.close();
  return how;
}

async function closeGracefully({ workers, queue }: Parts): Promise<void> {
  const closing = workers.map((worker) => worker.close());
  for (const worker of workers) worker.cancelAllJobs('shutdown');
  await Promise.all(closing);
  await queue.close();
}

/** A lost connection reports itself many times over; one line of each kind in a while is enough. */
function reporter(logger: Logger): (error: Error) => void {
  const quietMs = 10_000;
  const quietUntil = new Map<string, number>();
  return (error) => {
    const now = performance.now();
    if ((quietUntil.get(error.message) ?? 0) > now) return;
    quietUntil.set(error.message, now + quietMs);
    logger.error({ err: error }, 'queue connection');
  };
}
