import { type FailedOperation, type RetryDeps, withFailedJobs } from '../reconcile/index.ts';
import { moment, table } from './output.ts';
import type { Session } from './session.ts';

/** What was given up lies in the database or in the queue: looks at both. */
export async function withFailedOperations<Result>(
  session: Session,
  work: (deps: RetryDeps) => Promise<Result>,
): Promise<Result> {
  const { failures, operationViews } = await session.context();
  return withFailedJobs(session.config.queue, (jobs) => work({ failures, operationViews, jobs }));
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
