import { failWith } from '../../src/operations/lifecycle.ts';
import { findFailed, retry } from '../../src/reconcile/retry.ts';
import { withFailedJobs } from '../../src/reconcile/failed-jobs.ts';
import type { Harness } from '../support/harness.ts';
import type { Random } from '../support/random.ts';

/** As `baton retry` does it. False when there is nothing to take up any more, or no server to ask. */
export async function takeUp({ config, context }: Harness, operationId: string): Promise<boolean> {
  const { failures, operationViews } = context;
  try {
    return await withFailedJobs(config.queue, async (jobs) => {
      const deps = { failures, operationViews, jobs };
      return retry(deps, await findFailed(deps, operationId));
    });
  } catch {
    return false;
  }
}

/** As a worker does it whose last attempt at an operation has failed, while another may still be at it. */
export async function exhaustOne({ context }: Harness, random: Random): Promise<void> {
  const { database, stores } = context;
  try {
    const running = await database.operations.find({ state: 'running', campaignLock: { $exists: true } }).toArray();
    if (running.length === 0) return;
    const operation = await stores.operations.find(random.pick(running)._id);
    if (operation) await failWith(context, operation, new Error('given up on purpose'));
  } catch {
    // The database has not come back yet. Half-way or not, whoever carries on makes the best of it.
  }
}
