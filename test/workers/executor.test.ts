import { toFailureText, toStoredError } from '../../src/domain/stored-error.ts';
import { Queue, QueueEvents, Worker, type Job } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Refusal } from '../../src/domain/errors.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { processorOf, type Attempt, type Handler } from '../../workers/executor.ts';
import { LockWatch } from '../../workers/lock-watch.ts';
import type { Outcome } from '../../workers/outcome.ts';
import { testConfig } from '../support/harness.ts';
import { until } from '../support/until.ts';

const QUEUE = 'toys';
const LOCK_MS = 30_000;
const answered = (answer: unknown): Outcome => ({ kind: 'completed', answer });

/** A toy worker whose handler does, at each attempt, the next thing that the test gave it. */
const NO_TARGETS = new Refusal('no-targets', { expected: 'a target', received: 'an empty list' });

describe('what an attempt comes to', () => {
  const { queue: config } = testConfig();
  const gaveUp: string[] = [];
  const noted: string[] = [];
  const script: ((attempt: Attempt) => Outcome | Promise<Outcome>)[] = [];
  let redis: Redis;
  let queue: Queue;
  let events: QueueEvents;
  let worker: Worker;

  const handler: Handler = {
    handle: async (attempt) => {
      const next = script.shift();
      if (!next) throw new Error('expected a next thing to do, got none');
      return next(attempt);
    },
    noteFailure: (_attempt, error) => {
      noted.push(error.message);
      // The database may be what is away.
      return Promise.reject(new Error('nowhere to note it'));
    },
    recordFailure: (_attempt, error) => {
      gaveUp.push(error.message);
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
    gaveUp.splice(0);
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
    const { id = '' } = await queue.add('toy', {}, { attempts: 3 });
    return until('the toy job to end', async () => {
      const job = (await queue.getJob(id)) as Job | undefined;
      return job?.finishedOn !== undefined && job;
    });
  }

  it('answered: the job is completed with the answer', async () => {
    const job = await play(() => answered({ moved: 3 }));
    expect(job).toMatchObject({ returnvalue: { moved: 3 }, attemptsMade: 1 });
  });

  it('refused: the job fails at once with its code, and nobody gives up', async () => {
    const job = await play(() => ({ kind: 'failed', error: toStoredError(NO_TARGETS) }));
    expect(job).toMatchObject({ failedReason: toFailureText(toStoredError(NO_TARGETS)), attemptsMade: 1 });
    expect(gaveUp).toEqual([]);
  });

  it('a refusal that is thrown: the same', async () => {
    const job = await play(() => {
      throw NO_TARGETS;
    });
    expect(job).toMatchObject({ failedReason: toFailureText(toStoredError(NO_TARGETS)), attemptsMade: 1 });
    expect(gaveUp).toEqual([]);
  });

  it('yielded, however often: no attempt is burnt', async () => {
    const again = (): Outcome => ({ kind: 'requeued', delayMs: 0 });
    const job = await play(again, again, again, again, again, () => answered('done'));
    expect(job).toMatchObject({ returnvalue: 'done', attemptsMade: 1, attemptsStarted: 6 });
  });

  it('snoozed, and found not to be behind any more: it wakes itself, and no attempt is burnt', async () => {
    const job = await play(
      ({ job: snoozed }) => ({
        kind: 'snoozed',
        delayMs: 600_000,
        recheck: () => snoozed.promote(),
      }),
      () => answered('woken'),
    );
    expect(job).toMatchObject({ returnvalue: 'woken', attemptsMade: 1 });
  });

  it('snoozed, and nobody wakes it: it comes back by itself, also when looking back failed', async () => {
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
      () => answered('back'),
    );
    expect(job).toMatchObject({ returnvalue: 'back', attemptsMade: 1 });
  });

  it('passing trouble: it is tried again, and nobody gives up', async () => {
    const trouble = (): never => {
      throw new Error('write conflict');
    };
    const job = await play(trouble, trouble, () => answered('at last'));
    expect(job).toMatchObject({ returnvalue: 'at last', attemptsMade: 3 });
    expect(noted).toEqual(['write conflict', 'write conflict']);
    expect(gaveUp).toEqual([]);
  });

  it('trouble that does not pass: it is given up once, after the last attempt, and says why', async () => {
    const trouble = (): never => {
      throw new Error('no space left');
    };
    const job = await play(trouble, trouble, trouble);
    expect(job).toMatchObject({ failedReason: 'no space left', attemptsMade: 3 });
    expect(noted).toEqual(Array.from({ length: 3 }, () => 'no space left'));
    expect(gaveUp).toEqual(['no space left']);
  });

  it('something thrown that is no error: it is trouble like any other', async () => {
    const job = await play(
      () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- libraries do
        throw 'just a word';
      },
      () => answered('fine'),
    );
    expect(job).toMatchObject({ returnvalue: 'fine', attemptsMade: 2 });
  });
});
