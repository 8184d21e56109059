import { DelayedError, Queue, Worker, type Job } from 'bullmq';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectWorker, type RedisConnection } from '../../src/queue/connection.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { processorOf, type Attempt, type Outcome } from '../../workers/executor.ts';
import { LockWatch } from '../../workers/lock-watch.ts';
import { startQueueWorker } from '../../workers/queue-worker.ts';
import { testConfig } from '../support/harness.ts';
import { until } from '../support/until.ts';

const QUEUE = 'returned';
const JOB = 'op-returned';
const LOCK_MS = 400;
const SLOTS = 4;
/** So many renewals take longer than a lock lasts. */
const RENEWALS = 8;
const DELAY_MS = 600_000;

const completed: Outcome = { kind: 'completed', result: 'done' };

/** The first run returns its job, and the second run begins in another slot before the first slot has ended. */
describe('a job that another slot of the same worker takes as soon as it is returned', () => {
  const config = testConfig({ lockMs: LOCK_MS, stalledCheckMs: LOCK_MS / 2 });
  const runs: AbortSignal[] = [];
  const stalled: string[] = [];
  const errors: string[] = [];
  let redis: RedisConnection;
  let queue: Queue;
  let worker: Worker;

  beforeEach(() => {
    redis = connectWorker(config.queue.redisUrl, () => undefined);
    queue = new Queue(QUEUE, { connection: redis, prefix: config.queue.prefix });
    for (const list of [errors, runs, stalled]) list.splice(0);
  });
  afterEach(async () => {
    await worker.close();
    await queue.obliterate({ force: true });
    await queue.close();
    redis.disconnect();
  });

  /** `work` holds the work of the first runs; the next one completes the job. */
  function startBaton(...work: ((attempt: Attempt) => Outcome | Promise<Outcome>)[]): void {
    const handle = async (attempt: Attempt): Promise<Outcome> => {
      runs.push(attempt.signal);
      return (await work[runs.length - 1]?.(attempt)) ?? completed;
    };
    const locks = new LockWatch(LOCK_MS);
    const processor = processorOf({ handle }, createLogger({ level: 'silent' }), locks);
    const onError = (error: Error): void => void errors.push(error.message);
    worker = startQueueWorker(config, {
      name: QUEUE,
      processName: 'p1',
      processor,
      locks,
      concurrency: SLOTS,
      isFair: false,
      redis,
      onError,
    });
  }

  async function runJob(): Promise<Job> {
    worker.on('stalled', (jobId) => stalled.push(jobId));
    await queue.add('job', {}, { jobId: JOB, attempts: 3, backoff: 1_000 });
    return until('the job to end', async () => {
      const job = (await queue.getJob(JOB)) as Job | undefined;
      return job?.finishedOn !== undefined && job;
    });
  }

  const theSecondRun = (): Promise<true> => until('the second run', () => runs.length > 1);

  const returnToNextSlot = ({ job }: Attempt): Outcome => {
    const recheck = async (): Promise<void> => {
      await job.promote();
      await theSecondRun();
    };
    return { kind: 'snoozed', delayMs: DELAY_MS, recheck };
  };

  /** Returns after some renewals of the lock, or when the job has been taken from this run. */
  async function workLongerThanALock(): Promise<void> {
    let renewals = 0;
    let leftMs = Infinity;
    await until('renewals of the lock', async () => {
      const before = leftMs;
      leftMs = await redis.pttl(`${queue.toKey(JOB)}:lock`);
      if (leftMs > before) renewals += 1;
      return renewals >= RENEWALS || stalled.length > 0;
    });
  }

  const workAndReturn = async (): Promise<Outcome> => {
    await workLongerThanALock();
    return { kind: 'requeued', delayMs: 0 };
  };

  it('keeps its lock while the second run lasts longer than a lock', async () => {
    startBaton(returnToNextSlot, workAndReturn);
    const job = await runJob();
    expect({ stalled, errors }).toEqual({ stalled: [], errors: [] });
    expect(job).toMatchObject({ attemptsStarted: 3, attemptsMade: 1, returnvalue: 'done' });
  });

  it('is not stopped by a renewal for the first run that Redis receives during the second run', async () => {
    let isHeld = false;
    const returnDuringRenewal = async (attempt: Attempt): Promise<Outcome> => {
      delayRenewals(attempt.job, () => {
        isHeld = true;
        return theSecondRun();
      });
      await until('a renewal', () => isHeld);
      return returnToNextSlot(attempt);
    };
    startBaton(returnDuringRenewal, workAndReturn);
    await runJob();
    expect({ stalled, errors }).toEqual({ stalled: [], errors: [] });
    expect(runs.map(({ aborted }) => aborted)).toEqual([false, false, false]);
    expect(worker.opts).toMatchObject({ skipLockRenewal: true });
  });

  it('loses its lock if BullMQ renews it, which is why Baton does', async () => {
    const work = async (job: Job, token?: string): Promise<void> => {
      runs.push(new AbortController().signal);
      if (runs.length > 1) return workLongerThanALock();
      await job.moveToDelayed(Date.now() + DELAY_MS, token);
      await job.promote();
      await theSecondRun();
      throw new DelayedError();
    };
    const times = { lockDuration: LOCK_MS, stalledInterval: LOCK_MS / 2, maxStalledCount: SLOTS };
    worker = new Worker(QUEUE, work, { connection: redis, prefix: config.queue.prefix, concurrency: SLOTS, ...times });
    worker.on('error', () => undefined);
    await runJob();
    expect(stalled).toContain(JOB);
  });
});

/** Delays the renewals of a run, as a slow network would. Afterwards they go to Redis. */
function delayRenewals(job: Job, wait: () => Promise<unknown>): void {
  const renew = job.extendLock.bind(job);
  job.extendLock = async (...args) => {
    await wait();
    return renew(...args);
  };
}
