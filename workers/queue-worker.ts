import { setTimeout as delay } from 'node:timers/promises';
import { createRedisBackend, Worker, type Processor } from 'bullmq';
import pTimeout from 'p-timeout';
import type { Config } from '../src/config.ts';
import type { ErrorListener, RedisConnection } from '../src/queue/connection.ts';
import type { LockWatch } from './lock-watch.ts';
import { screenJobs } from './screened-backend.ts';

/**
 * How many worker processes may die while they run a job before BullMQ fails the job. High, because BullMQ never resets
 * the count, and a job for a million conversations runs thousands of times. Attempts limit a job that fails.
 */
const STALLED_COUNT_MAX = 100;

/** A second for BullMQ to notice that a blocking connection is dead, and the rest for a new connection. */
const RESET_MS_MAX = 6_000;

/** How long a worker pauses after Redis refused to give it a job. */
const REFUSED_PAUSE_MS = 1_000;

export interface QueueWorkerParts {
  readonly name: string;
  readonly processor: Processor;
  readonly locks: LockWatch;
  readonly concurrency: number;
  readonly redis: RedisConnection;
  readonly onError: ErrorListener;
}

/** Starts BullMQ's worker for one queue. */
export function startQueueWorker({ queue, worker: config }: Config, parts: QueueWorkerParts): Worker {
  const options = {
    connection: parts.redis,
    prefix: queue.prefix,
    concurrency: parts.concurrency,
    lockDuration: config.lockMs,
    // The lock watch renews the locks.
    skipLockRenewal: true,
    stalledInterval: config.stalledCheckMs,
    maxStalledCount: STALLED_COUNT_MAX,
  };
  const worker: Worker = new Worker(parts.name, parts.processor, options, (...args) => {
    const backend = createUnblockingBackend(...args);
    screenJobs(backend, () => worker);
    return backend;
  });
  parts.locks.watch(worker, parts.onError);
  return worker;
}

/**
 * Creates BullMQ's Redis backend with a time limit on the wait for a job. When a cluster's replica replaces its primary
 * during the wait, BullMQ's own reset of the connection can wait for ever, and the worker would never run a job again.
 * After the time limit, BullMQ looks for a job and waits again.
 */
const createUnblockingBackend: typeof createRedisBackend = (...args) => {
  const backend = createRedisBackend(...args);
  const waitForJob = backend.waitForJob.bind(backend);
  const moveToActive = backend.moveToActive.bind(backend);
  // BullMQ asks again at once after an error that is no lost connection: thousands of times a second.
  backend.moveToActive = async (token, name) => {
    try {
      return (await moveToActive(token, name)) as unknown[];
    } catch (error) {
      await delay(REFUSED_PAUSE_MS);
      throw error;
    }
  };
  backend.waitForJob = (blockTimeoutS) =>
    pTimeout(waitForJob(blockTimeoutS), {
      milliseconds: blockTimeoutS * 1_000 + RESET_MS_MAX,
      fallback: () => null,
    });
  return backend;
};
