import type { Job, Queue } from 'bullmq';
import type { Revival } from '../app/sweep-port.ts';
import { bringForward, hasFailed, holdsIdForNobody } from './bring-forward.ts';
import { jobIdOf } from './contract.ts';

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
 * is parked or pauses between attempts comes up by itself. Safe to repeat.
 */
export async function revive(queue: Queue, { operationId, isUnfinished, add }: Lost): Promise<Revival> {
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
  return byOurs ?? ((await queue.getJob(operationId)) as Job | undefined);
}

export async function isAlive(job: Job): Promise<boolean> {
  const state = await job.getState();
  return state !== 'failed' && state !== 'completed' && state !== 'unknown';
}

export function hasStalledTooOften(job: Job): boolean {
  return job.failedReason === STALLED_TOO_OFTEN;
}
