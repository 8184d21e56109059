import type { Job } from 'bullmq';
import { z } from 'zod';
import { Refusal } from '../src/domain/errors.ts';
import type { RedisConnection } from '../src/queue/connection.ts';
import { JOB_VERSION } from '../src/queue/job.ts';
import type { Attempt, Handler, Outcome } from './executor.ts';

/** The pause before the first next look, which doubles each time. A worker of the newer version may take the job then. */
const PAUSE_MS_MIN = 500;
const PAUSE_MS_MAX = 5_000;
/** Beyond this number of starts, the pause no longer grows. */
const DOUBLINGS_MAX = 10;

/** A larger number is no version. It may be a phone number in the wrong field, which must not come into the log. */
const VERSION_MAX = 9_999;

const versioned = z.object({
  version: z
    .int()
    .min(JOB_VERSION + 1)
    .max(VERSION_MAX),
});

/**
 * Returns how long ago a worker first saw the job `KEYS[1]`, in milliseconds. The time is that of Redis, because the clocks
 * of workers differ.
 */
const SEEN_SINCE = `
  if redis.call('exists', KEYS[1]) == 0 then return 0 end
  local time = redis.call('time')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('hsetnx', KEYS[1], 'newerSince', now)
  return now - redis.call('hget', KEYS[1], 'newerSince')`;

/**
 * Lets jobs of a newer version wait for a worker that knows it: during a deployment, producers can be newer than workers. The
 * wait uses no attempt, and other jobs run meanwhile. All other jobs go to the handler.
 */
export class NewerVersionHandler implements Handler {
  readonly waitsForDatabase?: true;
  private readonly handler: Handler;
  private readonly redis: RedisConnection;
  private readonly waitMs: number;

  /** `waitMs`: how long a job waits before it is refused. */
  constructor(handler: Handler, redis: RedisConnection, waitMs: number) {
    this.handler = handler;
    this.redis = redis;
    this.waitMs = waitMs;
    if (handler.waitsForDatabase === true) this.waitsForDatabase = true;
  }

  async handle(attempt: Attempt): Promise<Outcome> {
    const version = versioned.safeParse(attempt.job.data).data?.version;
    return version === undefined ? this.handler.handle(attempt) : this.wait(attempt, version);
  }

  async noteFailedAttempt(attempt: Attempt, error: Error): Promise<void> {
    if (!isNewer(attempt.job)) await this.handler.noteFailedAttempt?.(attempt, error);
  }

  async onAttemptsExhausted(attempt: Attempt, error: Error): Promise<void> {
    if (!isNewer(attempt.job)) await this.handler.onAttemptsExhausted?.(attempt, error);
  }

  private async wait(attempt: Attempt, version: number): Promise<Outcome> {
    const { job, log } = attempt;
    const key = `${job.queueQualifiedName}:${job.id ?? ''}`;
    // Without an answer of Redis, the job looks again later.
    const seenForMs = Number(await this.redis.eval(SEEN_SINCE, 1, key).catch(() => 0));
    if (seenForMs >= this.waitMs) throw unsupported(version, this.waitMs);
    const delayMs = Math.min(PAUSE_MS_MIN * 2 ** Math.min(job.attemptsStarted - 1, DOUBLINGS_MAX), PAUSE_MS_MAX);
    if (seenForMs === 0) log.warn({ version, known: JOB_VERSION }, 'the job waits for a worker of a newer version');
    // On workers that know the version, jobs that were sent later wait for this one, unless Redis cannot note it.
    await this.handler.noteReturn?.(attempt).catch(() => undefined);
    return { kind: 'requeued', delayMs: Math.max(1, Math.min(delayMs, this.waitMs - seenForMs)) };
  }
}

function isNewer({ data }: Job): boolean {
  return versioned.safeParse(data).success;
}

function unsupported(version: number, waitMs: number): Refusal {
  return new Refusal('unsupported-version', {
    message:
      `no worker knew version ${version} of the request within ${waitMs / 1_000} s: start workers of the release that the ` +
      'producer has, and send the request again',
    expected: `a version up to ${JOB_VERSION}`,
    received: String(version),
  });
}
