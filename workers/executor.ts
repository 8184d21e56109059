import { DelayedError, UnrecoverableError, type Job, type Processor } from 'bullmq';
import { isPermanent } from '../src/domain/errors.ts';
import { toFailureText, toStoredError } from '../src/domain/stored-error.ts';
import type { Logger } from '../src/telemetry/index.ts';
import type { LockWatch } from './lock-watch.ts';
import { failedWith, type Outcome } from './outcome.ts';

export interface Attempt {
  readonly job: Job;
  readonly log: Logger;
  /** Aborted when the job should stop at the next good moment: the worker closes, or its lock is lost. */
  readonly signal: AbortSignal;
}

export interface Handler {
  handle(attempt: Attempt): Promise<Outcome>;
  /** An attempt has failed, to be tried again or not: note it where it is looked for, if that can be reached. */
  noteFailure(attempt: Attempt, error: Error): Promise<void>;
  /** The last attempt has failed: record it where it is looked for. */
  recordFailure(attempt: Attempt, error: Error): Promise<void>;
}

/** Turns a handler into a BullMQ processor: runs an attempt and tells the queue what it came to. */
export function processorOf(handler: Handler, logger: Logger, locks: LockWatch): Processor {
  // BullMQ hands a signal only to functions that declare three parameters.
  return async (job: Job, token: string | undefined, signal: AbortSignal | undefined): Promise<unknown> => {
    const attempt = { job, log: childOf(logger, job), signal: signal ?? new AbortController().signal };
    locks.begin(job.id ?? '');
    const outcome = await run(handler, attempt);
    const giveBack = (delayMs: number): Promise<void> => {
      locks.giveBack(job.id ?? '');
      return job.moveToDelayed(Date.now() + delayMs, token);
    };
    switch (outcome.kind) {
      case 'completed':
        return outcome.answer;
      case 'failed':
        attempt.log.warn({ code: outcome.error.code }, outcome.error.message);
        throw new UnrecoverableError(toFailureText(outcome.error));
      case 'requeued':
        await giveBack(outcome.delayMs);
        if (outcome.delayMs === 0) await toTheBack(job);
        throw new DelayedError();
      case 'snoozed':
        await giveBack(outcome.delayMs);
        await recheck(outcome, attempt.log);
        throw new DelayedError();
    }
  };
}

/**
 * Left to its time, it would be found late by workers whose clocks are behind this one's, should this one die. One that
 * is taken up already, or cannot be moved now, is found by its time.
 */
async function toTheBack(job: Job): Promise<void> {
  await job.promote().catch(() => undefined);
}

/** What it waits for may have happened before this job could be found snoozed. A look that fails leaves it to its time. */
async function recheck(snoozed: Extract<Outcome, { kind: 'snoozed' }>, log: Logger): Promise<void> {
  try {
    await snoozed.recheck();
  } catch (error) {
    log.warn({ err: error }, 'could not look again after parking');
  }
}

async function run(handler: Handler, attempt: Attempt): Promise<Outcome> {
  try {
    return await handler.handle(attempt);
  } catch (error) {
    if (isPermanent(error)) return failedWith(toStoredError(error));
    await afterFailure(handler, attempt, error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}

async function afterFailure(handler: Handler, attempt: Attempt, error: Error): Promise<void> {
  const { job, log } = attempt;
  const attemptsLeft = (job.opts.attempts ?? 1) - (job.attemptsMade + 1);
  log.warn(
    { err: error, attemptsLeft },
    attemptsLeft > 0 ? 'attempt failed, to be tried again' : 'last attempt failed',
  );
  await handler.noteFailure(attempt, error).catch((err: unknown) => log.warn({ err }, 'could not note the failure'));
  if (attemptsLeft > 0) return;
  await handler
    .recordFailure(attempt, error)
    .catch((err: unknown) => log.error({ err }, 'could not record the failure'));
}

function childOf(logger: Logger, job: Job): Logger {
  return logger.child({ queue: job.queueName, jobId: job.id, attempt: job.attemptsMade + 1 });
}
