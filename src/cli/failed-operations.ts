import type { GivenUp, RedriveDeps } from '../reconcile/retry.ts';
import { withFailedJobs } from '../reconcile/failed-jobs.ts';
import { moment, table } from './output.ts';
import type { Session } from './session.ts';

/** What was given up lies in the database or in the queue: looks at both. */
export async function withGivenUp<Result>(
  session: Session,
  work: (deps: RedriveDeps) => Promise<Result>,
): Promise<Result> {
  const { failures, views } = await session.context();
  return withFailedJobs(session.config.queue, (jobs) => work({ failures, views, jobs }));
}

export function givenUpTable(listed: readonly GivenUp[]): string {
  const rows = listed.map(({ operationId, kind, campaignId, attempts, givenUpAt, error }) => [
    operationId,
    kind,
    campaignId,
    attempts,
    moment(givenUpAt),
    error,
  ]);
  return table(['operation', 'what', 'campaign', 'attempts', 'given up', 'last error'], rows);
}
