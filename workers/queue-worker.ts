import { setTimeout as delay } from 'node:timers/promises';
import { createRedisBackend, Worker, type Processor, type RedisQueueBackend } from 'bullmq';
import pTimeout from 'p-timeout';
import type { Config } from '../src/config.ts';
import { blockMsOf } from '../src/queue/connection-options.ts';
import type { ErrorListener, RedisConnection } from '../src/queue/connection.ts';
import { newClosing } from '../src/queue/reachable.ts';
import type { LockWatch } from './lock-watch.ts';
import { fetchFairly, screenJobs } from './screened-backend.ts';

/**
 * How many worker processes may die while they run a job before BullMQ fails the job. High, because BullMQ never resets
 * the count, and a job for a million conversations runs thousands of times. Attempts limit a job that fails.
 */
const STALLED_COUNT_MAX = 100;

/** A second for BullMQ to notice that a blocking connection is dead, and the rest for a new connection. */
const RESET_MS_MAX = 6_000;

/** How long a worker pauses after Redis refused to give it a job. The pause grows with each refusal in a row. */
const REFUSED_PAUSE_MS_MIN = 500;
const REFUSED_PAUSE_MS_MAX = 8_000;

/** How long BullMQ pauses after it has lost its connection. Its default is 15 seconds. */
const LOST_PAUSE_MS = 1_000;

export interface QueueWorkerParts {
  readonly name: string;
  /** The same for all workers of BullMQ in a process, so that they can be counted as one worker. */
  readonly processName: string;
  readonly processor: Processor;
  readonly locks: LockWatch;
  readonly concurrency: number;
  /** True when the jobs of each campaign have to run in turn with those of the others. */
  readonly isFair: boolean;
  readonly redis: RedisConnection;
  readonly onError: ErrorListener;
}

/** Starts BullMQ's worker for one queue. */
export function startQueueWorker({ queue, redis, worker: config }: Config, parts: QueueWorkerParts): Worker {
  const options = {
    connection: parts.redis,
    prefix: queue.prefix,
    name: parts.processName,
    concurrency: parts.concurrency,
    lockDuration: config.lockMs,
    // The lock watch renews the locks.
    skipLockRenewal: true,
    stalledInterval: config.stalledCheckMs,
    maxStalledCount: STALLED_COUNT_MAX,
    runRetryDelay: LOST_PAUSE_MS,
  };
  const closing = newClosing();
  const worker: Worker = new Worker(parts.name, parts.processor, options, (...args) => {
    const backend = createRedisBackend(...args);
    limitWaits(backend, blockMsOf(redis) / 1_000);
    pauseAfterErrors(backend, closing.signal);
    if (parts.isFair) fetchFairly(backend, () => worker, parts.onError);
    screenJobs(backend, () => worker);
    return backend;
  });
  worker.on('closing', () => closing.abort());
  parts.locks.watch(worker, parts.onError);
  return worker;
}

/**
 * Puts a time limit on the wait for a job. Nothing arrives during a wait, so a longer one would look like a silent
 * connection. And when a cluster's replica replaces its primary during the wait, BullMQ's own reset of the connection can
 * wait for ever, and the worker would never run a job again. After the time limit, BullMQ looks for a job and waits again.
 */
function limitWaits(backend: RedisQueueBackend, blockSMax: number): void {
  const waitForJob = backend.waitForJob.bind(backend);
  backend.waitForJob = (blockTimeoutS) => {
    const blockS = Math.min(blockTimeoutS, blockSMax);
    return pTimeout(waitForJob(blockS), { milliseconds: blockS * 1_000 + RESET_MS_MAX, fallback: () => null });
  };
}

/**
 * Pauses when Redis refuses to give a job. BullMQ asks again at once: thousands of times a second. A worker that closes ends
 * its pause.
 */
function pauseAfterErrors(backend: RedisQueueBackend, closing: AbortSignal): void {
  const fetch = backend.moveToActive.bind(backend) as (...args: Fetch) => Promise<unknown[]>;
  backend.moveToActive = pausing(fetch, closing);
  backend.waitForJob = pausing(backend.waitForJob.bind(backend), closing);
}

type Fetch = Parameters<RedisQueueBackend['moveToActive']>;

function pausing<Args extends readonly unknown[], Result>(
  ask: (...args: Args) => Promise<Result>,
  closing: AbortSignal,
): (...args: Args) => Promise<Result> {
  let pauseMs = REFUSED_PAUSE_MS_MIN;
  return async (...args) => {
    try {
      const answer = await ask(...args);
      pauseMs = REFUSED_PAUSE_MS_MIN;
      return answer;
    } catch (error) {
      await delay(pauseMs, undefined, { signal: closing }).catch(() => undefined);
      pauseMs = Math.min(2 * pauseMs, REFUSED_PAUSE_MS_MAX);
      throw error;
    }
  };
}
