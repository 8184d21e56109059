import { Refusal, shown } from '../domain/errors.ts';
import type { FailedAttempt } from '../domain/failed-attempt.ts';
import { isEnded, isRetryable } from '../domain/operation.ts';
import type { FailedJob, FailedJobs, FailureStore } from './retry-ports.ts';
import type { OperationViewStore } from '../operations/index.ts';
import type { AnyOperation } from '../operations/index.ts';

export interface RetryDeps {
  readonly failures: FailureStore;
  readonly operationViews: Pick<OperationViewStore, 'findOperation'>;
  readonly jobs: FailedJobs;
}

/** What was given up and waits for somebody to look at it. */
export interface FailedOperation {
  readonly operationId: string;
  readonly campaignId: string;
  readonly kind: FailedJob['kind'];
  /** `queue`: it has used its job's attempts up without being recorded as failed; it may never have been recorded at all. */
  readonly foundIn: 'database' | 'queue';
  readonly attempts: number;
  readonly failedAt: Date | null;
  /** What it was given up for. */
  readonly error: string;
  readonly failures: readonly FailedAttempt[];
}

/** Everything that was given up, of one campaign or of all. What was refused has its answer and is none of it. */
export async function* failedOperations(deps: RetryDeps, campaignId?: string): AsyncGenerator<FailedOperation> {
  for await (const entry of deps.failures.failedOperations(campaignId)) yield fromDatabase(entry);
  for await (const job of deps.jobs.all()) {
    if (campaignId !== undefined && job.campaignId !== campaignId) continue;
    const entry = await deps.operationViews.findOperation(job.operationId);
    if (!entry || !isEnded(entry.state)) yield fromQueue(job, entry);
  }
}

/** One that was given up. Throws a `not-retryable` refusal for anything else, `unknown-operation` for nothing. */
export async function findFailed(deps: RetryDeps, operationId: string): Promise<FailedOperation> {
  const entry = await deps.operationViews.findOperation(operationId);
  if (entry && isRetryable(entry)) return fromDatabase(entry);
  if (entry && isEnded(entry.state))
    throw notRetryable(entry.error ? `one refused as ${entry.error.code}` : entry.state);
  const job = await deps.jobs.find(operationId);
  if (job === 'alive') throw notRetryable(`one that goes on by itself`);
  if (job) return fromQueue(job, entry);
  if (entry) throw notRetryable(`one that is ${entry.state}`);
  const expected = 'an operation that the ledger or the queue knows';
  throw new Refusal('unknown-operation', { expected, received: shown(operationId) });
}

/**
 * Takes up again what was given up, where it stopped. Safe to repeat, and for several at once: false when somebody else
 * has done it meanwhile. Should this process die between the two steps, the reconcile makes good for the second.
 */
export async function retry(deps: RetryDeps, { operationId, foundIn }: FailedOperation): Promise<boolean> {
  if (foundIn === 'queue') return deps.jobs.takeUp(operationId);
  const reopened = await deps.failures.reopen(operationId);
  if (reopened) await deps.jobs.renew(reopened);
  return reopened !== undefined;
}

function notRetryable(received: string): Refusal {
  return new Refusal('not-retryable', { expected: 'an operation that was given up', received });
}

function fromDatabase(entry: AnyOperation): FailedOperation {
  const { operationId, campaignId, request, failures = [], error, endedAt } = entry;
  const told = { operationId, campaignId, kind: request.kind, failures };
  return { ...told, foundIn: 'database', attempts: failures.length, failedAt: endedAt, error: error?.message ?? '' };
}

function fromQueue(
  { operationId, campaignId, kind, attempts, last }: FailedJob,
  entry?: AnyOperation,
): FailedOperation {
  const told = { operationId, campaignId, kind, failures: entry?.failures ?? [last] };
  return { ...told, foundIn: 'queue', attempts, failedAt: last.at, error: last.message };
}
