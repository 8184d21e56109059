import { Refusal, shown } from '../domain/errors.ts';

/**
 * The queue keeps a job beside keys of its own, under names such as "wait" and "events": no operation's id may ever be
 * one of those, nor a mere number, which it refuses.
 */
export function jobIdOf(operationId: string): string {
  return `op-${operationId}`;
}

/** A job made by hand may have the operation's bare id: the ledger, not the queue, keeps the two apart. */
export function withItsId<Job extends { request: { operationId: string } }>(jobId: string, job: Job): Job {
  const { operationId } = job.request;
  if (jobId === jobIdOf(operationId) || jobId === operationId) return job;
  throw new Refusal('bad-request', {
    expected: `the job's id to be "op-" and the operation's`,
    received: `${shown(jobId)} and ${shown(operationId)}`,
  });
}
