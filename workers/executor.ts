import { DelayedError, UnrecoverableError, type Job, type Processor } from 'bullmq';
import { z } from 'zod';
import { isPermanent, Refusal } from '../src/domain/errors.ts';
import { traceparent } from '../src/domain/ids.ts';
import { isDatabaseAway } from '../src/mongo/server-errors.ts';
import { storableError } from '../src/domain/safe-text.ts';
import { toFailureText, toStoredError, type StoredError } from '../src/domain/stored-error.ts';
import { JOB_BYTES_MAX } from '../src/queue/job.ts';
import type { Logger } from '../src/telemetry/index.ts';
import type { LockWatch } from './lock-watch.ts';
import { completeOptions } from './missing-options.ts';
import { oversizedBytes } from './screened-backend.ts';

/** Frequent enough for a progress bar, and rare enough for Redis, which passes each report on. */
const PROGRESS_EVERY_MS = 250;

/** How long a job pauses that found no primary of the database. A failover takes about twelve seconds. */
const DATABASE_AWAY_MS = 1_000;

/** How one run of a job ended. The executor translates each outcome for BullMQ. */
export type Outcome =
  /** The work is done. `result` is the return value of the job. */
  | { readonly kind: 'completed'; readonly result: unknown }
  /** A permanent error ended the work. BullMQ does not run the job again. */
  | { readonly kind: 'failed'; readonly error: StoredError }
  /**
   * There is more to do. The job runs again after `delayMs`; 0 puts it at the back of the queue at once.
   * Does not count as an attempt.
   */
  | { readonly kind: 'requeued'; readonly delayMs: number }
  /** The job waits for an event, such as the end of another operation, which wakes it. Does not count as an attempt. */
  | {
      readonly kind: 'snoozed';
      /** The job runs again after this time, even if nothing wakes it. */
      readonly delayMs: number;
      /** Called as soon as the job can be woken. Must wake it if the event has already happened. */
      readonly recheck: () => Promise<void>;
    };

/** One run of a job. */
export interface Attempt {
  readonly job: Job;
  readonly log: Logger;
  /** Aborted when the worker closes or the job's lock is lost. Stop at the next point where nothing is half done. */
  readonly signal: AbortSignal;
  /** Sends progress to the callers that wait for the job. Drops reports that follow each other too closely. */
  readonly reportProgress: (progress: object) => void;
}

/** The work of one queue. */
export interface Handler {
  /** True when a job that finds no database waits for it. Other jobs fail soon, because their callers wait for an answer. */
  readonly waitsForDatabase?: true;
  handle(attempt: Attempt): Promise<Outcome>;
  /** Called before a job of a version that this worker does not know goes back to the queue. */
  noteReturn?(attempt: Attempt): Promise<void>;
  /** Called after each attempt that failed with a transient error. */
  noteFailedAttempt?(attempt: Attempt, error: Error): Promise<void>;
  /** Called after the last attempt that failed with a transient error. */
  onAttemptsExhausted?(attempt: Attempt, error: Error): Promise<void>;
}

export function failedWith(error: StoredError): Outcome {
  return { kind: 'failed', error };
}

/** Turns a handler into a BullMQ processor. */
export function processorOf(handler: Handler, logger: Logger, locks: LockWatch): Processor {
  const process = async (job: Job, token: string | undefined): Promise<unknown> => {
    // BullMQ reads the options from the job when the run ends.
    job.opts = completeOptions(job);
    const { signal, end } = locks.begin(job, token ?? '');
    const attempt: Attempt = { job, log: childOf(logger, job), signal, reportProgress: progressReporter(job) };
    const outcome = await run(handler, attempt).finally(end);
    const delay = (delayMs: number): Promise<void> => job.moveToDelayed(Date.now() + delayMs, token);
    switch (outcome.kind) {
      case 'completed':
        return outcome.result;
      case 'failed':
        attempt.log.warn({ code: outcome.error.code }, outcome.error.message);
        throw new UnrecoverableError(toFailureText(outcome.error));
      case 'requeued':
        await delay(outcome.delayMs);
        if (outcome.delayMs === 0) await moveToBack(job);
        throw new DelayedError();
      case 'snoozed':
        await delay(outcome.delayMs);
        await recheck(outcome, attempt.log);
        throw new DelayedError();
    }
  };
  return (job, token) => process(job, token).catch(rethrowStorable);
}

/** BullMQ keeps message and stack of an error in Redis for days. */
function rethrowStorable(error: unknown): never {
  if (error instanceof DelayedError || error instanceof UnrecoverableError) throw error;
  throw storableError(error);
}

/**
 * A delayed job starts when its time has come on the clock of the worker that fetches it, and that clock may be behind.
 * A promoted job does not depend on any clock. If the promotion fails, the job still starts at its time.
 */
async function moveToBack(job: Job): Promise<void> {
  await job.promote().catch(() => undefined);
}

/** The event may have happened before the job could be woken. If the check fails, the job runs after its delay. */
async function recheck(snoozed: Extract<Outcome, { kind: 'snoozed' }>, log: Logger): Promise<void> {
  try {
    await snoozed.recheck();
  } catch (error) {
    log.warn({ err: error }, 'recheck of a snoozed job failed; the job runs again after its delay');
  }
}

function progressReporter(job: Job): (progress: object) => void {
  let silentUntil = 0;
  return (progress) => {
    const now = performance.now();
    if (now < silentUntil) return;
    silentUntil = now + PROGRESS_EVERY_MS;
    // A report that cannot be delivered must not stop the work.
    job.updateProgress(progress).catch(() => undefined);
  };
}

async function run(handler: Handler, attempt: Attempt): Promise<Outcome> {
  try {
    refuseOversized(attempt.job.data);
    return await handler.handle(attempt);
  } catch (error) {
    if (isPermanent(error)) return failedWith(toStoredError(error));
    if (handler.waitsForDatabase === true && isDatabaseAway(error)) {
      attempt.log.warn(
        { err: error },
        'no primary or no majority of MongoDB answers, job requeued without using an attempt',
      );
      return { kind: 'requeued', delayMs: DATABASE_AWAY_MS };
    }
    await afterFailure(handler, attempt, error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}

function refuseOversized(data: unknown): void {
  const bytes = oversizedBytes(data);
  if (bytes === undefined) return;
  throw new Refusal('bad-request', {
    message: `the data of the job has ${bytes} bytes; at most ${JOB_BYTES_MAX} bytes are allowed`,
    expected: `at most ${JOB_BYTES_MAX} bytes`,
    received: `${bytes} bytes`,
  });
}

async function afterFailure(handler: Handler, attempt: Attempt, error: Error): Promise<void> {
  const { job, log } = attempt;
  const attemptsLeft = (job.opts.attempts ?? 1) - (job.attemptsMade + 1);
  log.warn({ err: error, attemptsLeft }, attemptsLeft > 0 ? 'attempt failed and is retried' : 'last attempt failed');
  await handler
    .noteFailedAttempt?.(attempt, error)
    .catch((err: unknown) => log.warn({ err }, 'could not note the failure'));
  if (attemptsLeft > 0) return;
  await handler
    .onAttemptsExhausted?.(attempt, error)
    .catch((err: unknown) => log.error({ err }, 'could not record the failure'));
}

const traced = z.object({ request: z.object({ traceparent }) });

function childOf(logger: Logger, job: Job): Logger {
  const trace = traced.safeParse(job.data).data?.request;
  return logger.child({ queue: job.queueName, jobId: job.id ?? '', attempt: job.attemptsMade + 1, ...trace });
}
