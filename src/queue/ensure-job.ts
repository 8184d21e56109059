import type { Job, Queue } from 'bullmq';
import { bringForward, hasFailed, holdsIdForNobody } from './promote-job.ts';
import { operationIdOfJob } from './job.ts';
import { jobIdOf } from './job-id.ts';

/**
 * What became of the job of something unfinished. `alive`: it will come up by itself. `made`, `taken-up`: it would not
 * have. `exhausted`: its workers die of it, again and again.
 */
export type JobRepair =
  { readonly kind: 'alive' | 'made' | 'taken-up' } | { readonly kind: 'exhausted'; readonly reason: string };

/** BullMQ's word for a job whose worker died with it too often. It can never be taken up again, only be made anew. */
const STALLED_TOO_OFTEN = 'job stalled more than allowable limit';

interface Lost {
  readonly operationId: string;
  /** Asked again before anything is done: it may have ended meanwhile, and its job with it. */
  readonly isUnfinished: () => Promise<boolean>;
  /** Makes its job from the ledger. */
  readonly add: () => Promise<void>;
}

/**
 * Sees to it that something unfinished has a job that will be worked at, and disturbs none that will be: one that waits,
 * is snoozed or pauses between attempts comes up by itself. Safe to repeat.
 */
export async function ensureJob(queue: Queue, { operationId, isUnfinished, add }: Lost): Promise<JobRepair> {
  const job = await jobOf(queue, operationId);
  if (job && (await isAlive(job))) return { kind: 'alive' };
  if (!(await isUnfinished())) return { kind: 'alive' };
  if (job && hasFailed(job) && !holdsIdForNobody(job)) {
    if (hasStalledTooOften(job)) return { kind: 'exhausted', reason: STALLED_TOO_OFTEN };
    await bringForward(job);
    return { kind: 'taken-up' };
  }
  // It ended, or lies about in no list at all, though the ledger says that there is more to do.
  await job?.remove();
  await add();
  return { kind: 'made' };
}

/** By the id it is given here, or the bare one that somebody else's program gave it. */
export async function jobOf(queue: Queue, operationId: string): Promise<Job | undefined> {
  const byOurs = (await queue.getJob(jobIdOf(operationId))) as Job | undefined;
  return byOurs ?? (await jobByBareId(queue, operationId));
}

/**
 * The bare id may be a word of the queue's own, whose key is then no job's, or a number that the queue gave to another
 * job: only what lies in one of its lists and asks for this very operation is meant.
 */
async function jobByBareId(queue: Queue, operationId: string): Promise<Job | undefined> {
  if ((await queue.getJobState(operationId)) === 'unknown') return undefined;
  const job = (await queue.getJob(operationId)) as Job | undefined;
  return operationIdOfJob(job?.data) === operationId ? job : undefined;
}

/** Removes an operation's job, whichever its id; one that is being worked at stays. */
export async function forgetJob(queue: Queue, operationId: string): Promise<void> {
  const job = await jobOf(queue, operationId);
  if (job?.id !== undefined) await queue.remove(job.id);
}

export async function isAlive(job: Job): Promise<boolean> {
  const state = await job.getState();
  return state !== 'failed' && state !== 'completed' && state !== 'unknown';
}

export function hasStalledTooOften(job: Job): boolean {
  return job.failedReason === STALLED_TOO_OFTEN;
}
