import { toFailureText, toStoredError } from '../../src/domain/stored-error.ts';
import { Queue, QueueEvents, Worker, type Job } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Refusal } from '../../src/domain/errors.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { processorOf, type Attempt, type Handler, type Outcome } from '../../workers/executor.ts';
import { PREVIEW_JOB } from '../../src/operations/index.ts';
import { completeOptions } from '../../workers/missing-options.ts';
import { LockWatch } from '../../workers/lock-watch.ts';
import { testConfig } from '../support/harness.ts';
import { until } from '../support/until.ts';

const QUEUE = 'toys';
const LOCK_MS = 30_000;
const completed = (result: unknown): Outcome => ({ kind: 'completed', result });

const NO_TARGETS = new Refusal('no-targets', {
  message: 'the list of targets is empty',
  expected: 'a target',
  received: 'an empty list',
});

/** The handler runs the next step of the test's script in each run of the job. */
describe('the executor', () => {
  const { queue: config } = testConfig();
  const recorded: string[] = [];
  const noted: string[] = [];
  const script: ((attempt: Attempt) => Outcome | Promise<Outcome>)[] = [];
  let redis: Redis;
  let queue: Queue;
  let events: QueueEvents;
  let worker: Worker;

  const handler: Handler = {
    handle: async (attempt) => {
      const next = script.shift();
      if (!next) throw new Error('the script of the test has no step left');
      return next(attempt);
    },
    noteFailedAttempt: (_attempt, error) => {
      noted.push(error.message);
      // The database, too, may be away.
      return Promise.reject(new Error('the database is away'));
    },
    onAttemptsExhausted: (_attempt, error) => {
      recorded.push(error.message);
      return Promise.resolve();
    },
  };

  beforeAll(async () => {
    redis = new Redis(config.redisUrl, { maxRetriesPerRequest: null });
    queue = new Queue(QUEUE, { connection: redis, prefix: config.prefix });
    events = new QueueEvents(QUEUE, { connection: redis.duplicate(), prefix: config.prefix });
    worker = new Worker(QUEUE, processorOf(handler, createLogger({ level: 'silent' }), new LockWatch(LOCK_MS)), {
      connection: redis,
      prefix: config.prefix,
      concurrency: 1,
    });
    await Promise.all([events.waitUntilReady(), worker.waitUntilReady()]);
  });
  afterEach(() => {
    expect(script).toEqual([]);
    recorded.splice(0);
    noted.splice(0);
  });
  afterAll(async () => {
    await worker.close();
    await events.close();
    await queue.close();
    const keys = await redis.keys(`${config.prefix}*`);
    if (keys.length > 0) await redis.del(...keys);
    redis.disconnect();
  });

  async function play(...steps: typeof script): Promise<Job> {
    script.push(...steps);
    return ended(await queue.add('toy', {}, { attempts: 3 }));
  }

  function ended({ id = '' }: Pick<Job, 'id'>): Promise<Job> {
    return until('the toy job to end', async () => {
      const job = (await queue.getJob(id)) as Job | undefined;
      return job?.finishedOn !== undefined && job;
    });
  }

  it('completes the job with the result', async () => {
    const job = await play(() => completed({ moved: 3 }));
    expect(job).toMatchObject({ returnvalue: { moved: 3 }, attemptsMade: 1 });
  });

  it('gives a job whose sender has set no options the attempts of the producer, and forgets it like others', async () => {
    const lost = (): never => {
      throw new Error('the connection was lost');
    };
    script.push(lost, lost, () => completed('done'));
    const job = await ended(await queue.add(PREVIEW_JOB, {}));
    expect(job).toMatchObject({ returnvalue: 'done', attemptsMade: 3 });
    noted.splice(0);
    // The limits of the count: a thousand previews are kept for ten minutes.
    expect(completeOptions(job)).toMatchObject({ removeOnComplete: { age: 600, count: 1_000 } });
    expect(completeOptions({ name: 'unknown', opts: { attempts: 0 } })).toEqual({});
    expect(completeOptions({ name: PREVIEW_JOB, opts: { attempts: 1 } })).toMatchObject({ attempts: 1 });
  });

  it('ends a job whose options have values that BullMQ cannot read', async () => {
    script.push(() => {
      throw new Error('the connection was lost');
    });
    script.push(() => completed('done'));
    const { id = '' } = await queue.add(PREVIEW_JOB, {}, { delay: 60_000 });
    // As another program may write them.
    const opts = { attempts: null, backoff: '5', removeOnComplete: null, removeOnFail: {}, stackTraceLimit: 'all' };
    await redis.hset(queue.toKey(id), 'opts', JSON.stringify(opts));
    const job = (await queue.getJob(id)) as Job;
    await job.promote();
    expect(await ended(job)).toMatchObject({ returnvalue: 'done', attemptsMade: 2 });
    noted.splice(0);
    // Old versions of BullMQ have a number as backoff.
    expect(completeOptions({ name: PREVIEW_JOB, opts: { backoff: 1_000, removeOnFail: 5 } })).toMatchObject({
      ...{ attempts: 3, backoff: 1_000, removeOnFail: 5 },
    });
  });

  it('fails the job at once when its run ended as failed, and records no failure', async () => {
    const job = await play(() => ({ kind: 'failed', error: toStoredError(NO_TARGETS) }));
    expect(job).toMatchObject({ failedReason: toFailureText(toStoredError(NO_TARGETS)), attemptsMade: 1 });
    expect(recorded).toEqual([]);
  });

  it('fails the job at once when the handler throws a refusal', async () => {
    const job = await play(() => {
      throw NO_TARGETS;
    });
    expect(job).toMatchObject({ failedReason: toFailureText(toStoredError(NO_TARGETS)), attemptsMade: 1 });
    expect(recorded).toEqual([]);
  });

  it('counts no attempt for a requeued job, however often it is requeued', async () => {
    const again = (): Outcome => ({ kind: 'requeued', delayMs: 0 });
    const job = await play(again, again, again, again, again, () => completed('done'));
    expect(job).toMatchObject({ returnvalue: 'done', attemptsMade: 1, attemptsStarted: 6 });
  });

  it('counts no attempt for a snoozed job that its recheck wakes', async () => {
    const job = await play(
      ({ job: snoozed }) => ({
        kind: 'snoozed',
        delayMs: 600_000,
        recheck: () => snoozed.promote(),
      }),
      () => completed('awake'),
    );
    expect(job).toMatchObject({ returnvalue: 'awake', attemptsMade: 1 });
  });

  it('runs a snoozed job after its delay, also when the recheck failed', async () => {
    const job = await play(
      () => ({
        kind: 'snoozed',
        delayMs: 50,
        recheck: () => Promise.resolve(),
      }),
      () => ({
        kind: 'snoozed',
        delayMs: 50,
        recheck: () => Promise.reject(new Error('boo')),
      }),
      () => completed('back'),
    );
    expect(job).toMatchObject({ returnvalue: 'back', attemptsMade: 1 });
  });

  it('retries a job after a transient error and records the failed attempt', async () => {
    const fail = (): never => {
      throw new Error('write conflict');
    };
    const job = await play(fail, fail, () => completed('at last'));
    expect(job).toMatchObject({ returnvalue: 'at last', attemptsMade: 3 });
    expect(noted).toEqual(['write conflict', 'write conflict']);
    expect(recorded).toEqual([]);
  });

  it('records the failure once, after the last attempt', async () => {
    const fail = (): never => {
      throw new Error('no space left');
    };
    const job = await play(fail, fail, fail);
    expect(job).toMatchObject({ failedReason: 'no space left', attemptsMade: 3 });
    expect(noted).toEqual(Array.from({ length: 3 }, () => 'no space left'));
    expect(recorded).toEqual(['no space left']);
  });

  it('treats a thrown value that is no error as a transient error', async () => {
    const job = await play(
      () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- libraries do
        throw 'just a word';
      },
      () => completed('fine'),
    );
    expect(job).toMatchObject({ returnvalue: 'fine', attemptsMade: 2 });
  });
});
