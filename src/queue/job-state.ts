import type { Job, Queue } from 'bullmq';
import { RESENDABLE_CODES } from '../domain/errors.ts';
import { parseFailureText } from '../domain/stored-error.ts';
import { jobIdOf, operationIdOfJob } from './job.ts';
import { connectionOf, removeIfEnded, runIfLost } from './lost-job.ts';
import { readJob } from './read-job.ts';

/** BullMQ's failure text for a job whose worker died during too many runs. Such a job can only be replaced, not retried. */
export const STALLED_TOO_OFTEN = 'job stalled more than allowable limit';

/** Returns the job of an operation or claim, under Baton's job id or the bare operation id. */
export async function findJob(queue: Queue, operationId: string): Promise<Job | undefined> {
  const job = (await readJob(queue, jobIdOf(operationId))) as Job | undefined;
  return job ?? (await findByBareId(queue, operationId));
}

/** Returns false when none of the queues has a key that could be the job of an operation or claim. Takes one command. */
export async function mayHaveJob(queues: readonly Queue[], operationId: string): Promise<boolean> {
  const [first] = queues;
  const keys = queues.flatMap((queue) => [jobIdOf(operationId), operationId].map((id) => queue.toKey(id)));
  return first !== undefined && (await connectionOf(first).exists(...keys)) > 0;
}

/**
 * A bare operation id may equal the name of one of BullMQ's own keys, or a number that BullMQ gave to another job.
 * Therefore the job must be in one of the queue's lists and ask for this operation.
 */
async function findByBareId(queue: Queue, operationId: string): Promise<Job | undefined> {
  // Asking for the state reads whole lists. Most ids have no key.
  if ((await connectionOf(queue).exists(queue.toKey(operationId))) === 0) return undefined;
  if ((await queue.getJobState(operationId)) === 'unknown') return undefined;
  const job = (await readJob(queue, operationId)) as Job | undefined;
  return operationIdOfJob(job?.data) === operationId ? job : undefined;
}

/** Returns true if a worker runs the job now or will run it without any further action. */
export async function willRun(job: Job): Promise<boolean> {
  const state = await job.getState();
  return state !== 'failed' && state !== 'completed' && state !== 'unknown';
}

/** Returns true if the job failed and BullMQ does not retry it. */
export function hasFailed(job: Job<unknown, unknown>): boolean {
  // A job that succeeded after a failed attempt keeps the text of that failure, but only success sets a return value.
  return job.finishedOn !== undefined && (job.returnvalue ?? null) === null;
}

export function hasStalledTooOften(job: Job): boolean {
  return job.failedReason === STALLED_TOO_OFTEN;
}

/**
 * Refusals after which another job may use the id: the job never became an operation, or the operation may be sent again.
 */
const ID_FREE_CODES: readonly (string | undefined)[] = [
  'bad-request',
  'operation-conflict',
  'unsupported-version',
  ...RESENDABLE_CODES,
];

/** Returns true if another job may use the id of this one. */
export function isIdFree(job: Job<unknown, unknown>): boolean {
  const code = parseFailureText(job.failedReason)?.code;
  return hasFailed(job) && ID_FREE_CODES.includes(code);
}

/**
 * Makes a delayed, failed or lost job run now; see {@link runIfLost}. Leaves other jobs alone. Safe to repeat, also from
 * several processes. Returns the state in which it found the job.
 */
export async function runNow(queue: Queue, job: Job): Promise<Awaited<ReturnType<Job['getState']>>> {
  const state = await job.getState();
  if (state === 'unknown') await runIfLost(queue, job.id ?? '');
  if (state === 'delayed') await unlessMoved(job, () => job.promote(), state);
  if (state === 'failed') {
    const retry = () => job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true });
    await unlessMoved(job, retry, state);
  }
  return state;
}

/**
 * Makes a job that has ended run again, with the data of the latest sender. Returns false if it can only be replaced. Safe
 * to repeat, also from several processes.
 */
export async function runAgain(job: Job, data: unknown): Promise<boolean> {
  if (hasStalledTooOften(job)) return false;
  const state = await job.getState();
  if (state !== 'completed' && state !== 'failed') return state !== 'unknown';
  const again = async (): Promise<void> => {
    await job.updateData(data);
    // The number of starts is kept: it tells the handler of claims to look the claim up first.
    await job.retry(state, { resetAttemptsMade: true, resetAttemptsStarted: state === 'failed' });
  };
  await unlessMoved(job, again, state);
  return true;
}

/** Ignores the error of an action if another process has moved the job out of the state `before` in the meantime. */
async function unlessMoved(job: Job, act: () => Promise<void>, before: string): Promise<void> {
  try {
    await act();
  } catch (error) {
    if ((await job.getState()) === before) throw error;
  }
}

/** Removes a job that has ended or is lost. Returns false if another process has made it run again. */
export async function removeEnded(queue: Queue, job: Job): Promise<boolean> {
  if (job.finishedOn !== undefined) return removeIfEnded(queue, job.id ?? '', job.finishedOn);
  try {
    await job.remove();
    return true;
  } catch (error) {
    if (await willRun(job)) return false;
    throw error;
  }
}

/** Removes the job of an operation or claim. A job that a worker runs now stays. */
export async function removeJob(queue: Queue, operationId: string): Promise<void> {
  const job = await findJob(queue, operationId);
  if (job?.id !== undefined) await queue.remove(job.id);
}

/**
 * What {@link ensureJob} did. `kept`: the job runs without help, or the operation has ended. `created`: there was no
 * usable job. `retried`: the job had failed. `exhausted`: workers die whenever they run the job.
 */
export type JobRepair =
  { readonly kind: 'kept' | 'created' | 'retried' } | { readonly kind: 'exhausted'; readonly reason: string };

interface Unfinished {
  readonly operationId: string;
  /** Called just before a change: the operation may have ended since it was read, and its job with it. */
  readonly isUnfinished: () => Promise<boolean>;
  /** Adds a job for the stored operation. */
  readonly add: () => Promise<void>;
}

/** Makes sure that an unfinished operation or claim has a job that will run. Safe to repeat. */
export async function ensureJob(queue: Queue, { operationId, isUnfinished, add }: Unfinished): Promise<JobRepair> {
  const job = await findJob(queue, operationId);
  if (job && (await willRun(job))) return { kind: 'kept' };
  if (!(await isUnfinished())) return { kind: 'kept' };
  if (job && hasFailed(job) && !isIdFree(job)) {
    if (hasStalledTooOften(job)) return { kind: 'exhausted', reason: STALLED_TOO_OFTEN };
    await runNow(queue, job);
    return { kind: 'retried' };
  }
  // The job has ended or is in none of the queue's lists, although the operation is unfinished.
  await job?.remove();
  await add();
  return { kind: 'created' };
}
