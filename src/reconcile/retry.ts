import { Refusal, unknownOperation } from '../domain/errors.ts';
import { shownId } from '../domain/safe-text.ts';
import type { FailedAttempt } from '../domain/stored-error.ts';
import { isEnded, isRetryable } from '../domain/operation.ts';
import type { AnyOperation, FailureStore, OperationViewStore } from '../operations/index.ts';
import type { FailedJob, FailedJobs } from './ports.ts';

export interface RetryDeps {
  readonly failures: FailureStore;
  readonly operationViews: Pick<OperationViewStore, 'findOperation'>;
  readonly jobs: FailedJobs;
}

/** An operation or claim that failed and that a person can retry. */
export interface FailedOperation {
  readonly operationId: string;
  readonly campaignId: string;
  readonly kind: FailedJob['kind'];
  /**
   * `database`: the operation is recorded as failed. `queue`: only its job has failed; the operation may never have been
   * recorded.
   */
  readonly foundIn: 'database' | 'queue';
  readonly attempts: number;
  readonly failedAt: Date | null;
  /** The message of the error that ended the operation. */
  readonly error: string;
  readonly failures: readonly FailedAttempt[];
}

/** Returns what failed and can be retried, of one campaign or of all. Refused requests are not included. */
export async function* failedOperations(deps: RetryDeps, campaignId?: string): AsyncGenerator<FailedOperation> {
  for await (const operation of deps.failures.failedOperations(campaignId)) yield fromDatabase(operation);
  for await (const job of deps.jobs.all()) {
    if (campaignId !== undefined && job.campaignId !== campaignId) continue;
    const operation = await deps.operationViews.findOperation(job.operationId);
    if (!operation || !isEnded(operation.state)) yield fromQueue(job, operation);
  }
}

/** Throws a `not-retryable` refusal when the operation has not failed, or `unknown-operation` when it does not exist. */
export async function findFailed(deps: RetryDeps, operationId: string): Promise<FailedOperation> {
  const operation = await deps.operationViews.findOperation(operationId);
  if (operation && isRetryable(operation)) return fromDatabase(operation);
  if (operation && isEnded(operation.state)) throw notRetryable(operationId, endOf(operation));
  const job = await deps.jobs.find(operationId);
  if (job === 'will-run') throw notRetryable(operationId, 'in progress');
  if (job) return fromQueue(job, operation);
  if (operation) throw notRetryable(operationId, operation.state);
  throw unknownOperation(operationId);
}

/**
 * Retries a failed operation; it continues where it stopped. Returns false when another process has retried it first.
 * Safe to repeat. If this process dies after the operation is reopened, the next reconcile pass creates its job.
 */
export async function retry(deps: RetryDeps, { operationId, foundIn }: FailedOperation): Promise<boolean> {
  if (foundIn === 'queue') return deps.jobs.retry(operationId);
  const reopened = await deps.failures.reopen(operationId);
  if (reopened) await deps.jobs.renew(reopened);
  return reopened !== undefined;
}

function endOf({ state, error }: AnyOperation): string {
  return error ? `refused with ${error.code}` : state;
}

function notRetryable(operationId: string, received: string): Refusal {
  return new Refusal('not-retryable', {
    message: `operation ${shownId(operationId)} is ${received}; only operations that failed can be retried`,
    expected: 'an operation that failed',
    received,
  });
}

function fromDatabase(operation: AnyOperation): FailedOperation {
  const { operationId, campaignId, request, failures = [], error, endedAt } = operation;
  return {
    operationId,
    campaignId,
    kind: request.kind,
    foundIn: 'database',
    attempts: failures.length,
    failedAt: endedAt,
    error: error?.message ?? '',
    failures,
  };
}

function fromQueue(job: FailedJob, operation?: AnyOperation): FailedOperation {
  const { operationId, campaignId, kind, attempts, last } = job;
  const failures = operation?.failures ?? [last];
  return {
    operationId,
    campaignId,
    kind,
    foundIn: 'queue',
    attempts,
    failedAt: last.at,
    error: last.message,
    failures,
  };
}
