import type { FailedOperation, RetryDeps } from '../reconcile/retry.ts';
import { withFailedJobs } from '../reconcile/failed-jobs.ts';
import { moment, table } from './output.ts';
import type { Session } from './session.ts';

/** What was given up lies in the database or in the queue: looks at both. */
export async function withFailedOperations<Result>(
  session: Session,
  work: (deps: RetryDeps) => Promise<Result>,
): Promise<Result> {
  const { failures, views } = await session.context();
  return withFailedJobs(session.config.queue, (jobs) => work({ failures, views, jobs }));
}

export function failedOperationsTable(listed: readonly FailedOperation[]): string {
  const rows = listed.map(({ operationId, kind, campaignId, attempts, failedAt, error }) => [
    operationId,
    kind,
    campaignId,
    attempts,
    moment(failedAt),
    error,
  ]);
  return table(['operation', 'what', 'campaign', 'attempts', 'given up', 'last error'], rows);
}
