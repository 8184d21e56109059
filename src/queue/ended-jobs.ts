import type { Job, Queue } from 'bullmq';
import { parseFailureText } from '../domain/stored-error.ts';
import { operationIdOfJob } from './job.ts';
import { hasFailed, isIdFree, removeEnded } from './job-state.ts';
import { readJob } from './read-job.ts';

const PAGE = 200;

/** Returns those of the operation ids that the database knows. */
export type KnownAmong = (operationIds: readonly string[]) => Promise<ReadonlySet<string>>;

/**
 * Removes the jobs that ended with an answer about an operation that the database does not know, and returns their number.
 * Jobs whose attempts were used up stay: such a job can be the only trace of its operation. So do those whose id is free.
 */
export async function forgetUnknownAnswers(queue: Queue, knownAmong: KnownAmong): Promise<number> {
  const ids = await queue.getRanges(['completed', 'failed'], 0, -1);
  let forgotten = 0;
  for (let at = 0; at < ids.length; at += PAGE) {
    const jobs = await Promise.all(ids.slice(at, at + PAGE).map((id) => readJob(queue, id)));
    forgotten += await forgetAmong(
      queue,
      jobs.flatMap((job) => answered(job)),
      knownAmong,
    );
  }
  return forgotten;
}

interface Answered {
  readonly job: Job;
  readonly operationId: string;
}

async function forgetAmong(queue: Queue, jobs: readonly Answered[], knownAmong: KnownAmong): Promise<number> {
  const known = await knownAmong(jobs.map(({ operationId }) => operationId));
  const unknown = jobs.filter(({ operationId }) => !known.has(operationId));
  const removed = await Promise.all(unknown.map(({ job }) => removeEnded(queue, job)));
  return removed.filter(Boolean).length;
}

function answered(job: Job<unknown, unknown> | undefined): Answered[] {
  const operationId = operationIdOfJob(job?.data);
  if (job?.finishedOn === undefined || operationId === undefined) return [];
  const hasAnswer = !hasFailed(job) || (parseFailureText(job.failedReason) !== undefined && !isIdFree(job));
  return hasAnswer ? [{ job: job as Job, operationId }] : [];
}
