import type { Job } from 'bullmq';
import { parseFailureText } from '../domain/stored-error.ts';

/** A job that was refused before it became an operation: its id stands for nothing, or for an operation not its own. */
export function holdsIdForNobody(job: Job<unknown, unknown>): boolean {
  const code = parseFailureText(job.failedReason)?.code;
  return hasFailed(job) && (code === 'bad-request' || code === 'operation-conflict');
}

/** For good. What an earlier attempt failed with stays on a job that succeeded later: the return value tells them apart. */
export function hasFailed(job: Job<unknown, unknown>): boolean {
  return job.finishedOn !== undefined && (job.returnvalue ?? null) === null;
}

/** Sees to it that a job that is snoozed, or has been given up, is taken up now. Safe to repeat, from anywhere. */
export async function bringForward(job: Job): Promise<void> {
  const state = await job.getState();
  if (state === 'delayed') await tolerantly(job, () => job.promote());
  if (state === 'failed') {
    await tolerantly(job, () => job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true }));
  }
}

/** Somebody else may have moved the job meanwhile: then what was wanted has happened. */
async function tolerantly(job: Job, act: () => Promise<void>): Promise<void> {
  const before = await job.getState();
  try {
    await act();
  } catch (error) {
    if ((await job.getState()) === before) throw error;
  }
}
