import type { Job, JobType, Queue } from 'bullmq';
import { setAsideIfUnreadable } from './set-aside.ts';

/** Returns a job. Sets it aside if it cannot be read. */
export async function readOrSetAside(
  queue: Queue,
  jobId: string,
): Promise<Job<unknown, unknown> | 'gone' | 'set-aside'> {
  try {
    const job = (await queue.getJob(jobId)) as Job<unknown, unknown> | undefined;
    if (job?.name !== undefined) return job;
    return (await setAsideIfUnreadable(queue, jobId)) ? 'set-aside' : 'gone';
  } catch (error) {
    if (await setAsideIfUnreadable(queue, jobId)) return 'set-aside';
    throw error;
  }
}

/** Returns a job, or `undefined` when there is none or when it was set aside because it cannot be read. */
export async function readJob(queue: Queue, jobId: string): Promise<Job<unknown, unknown> | undefined> {
  const job = await readOrSetAside(queue, jobId);
  return typeof job === 'string' ? undefined : job;
}

/** Returns a page of the jobs in one state. Sets aside those that cannot be read. */
export async function readJobs(queue: Queue, state: JobType, from: number, to: number): Promise<Job[]> {
  try {
    return present((await queue.getJobs([state], from, to)) as (Job | undefined)[]);
  } catch {
    const ids = await queue.getRanges([state], from, to);
    return present(await Promise.all(ids.map((id) => readJob(queue, id))));
  }
}

const present = (jobs: readonly (Job | undefined)[]): Job[] => jobs.filter((job) => job !== undefined);
