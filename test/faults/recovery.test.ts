import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness } from '../support/harness.ts';
import { Obstacle } from '../support/obstacle.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

/** What is promised: a lock runs out and a look at stalled jobs follows, and there is time to spare. */
const RECOVERED_WITHIN_MS = 15_000;
/** One after the other: what waits at the obstacle is the last that was begun. */
const SMALL_BATCHES = { BATON_BATCH_CONVERSATIONS_MAX: '5', BATON_BATCHES_IN_FLIGHT_MAX: '1' };

describe('at default settings', { timeout: 120_000 }, () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  it('what a worker had in hand when it was killed is taken up by another within fifteen seconds', async () => {
    const campaignId = await harness.seedCampaign(2);
    const pool = Array.from({ length: 40 }, (_, at) => ({ waitedMs: 40_000 - at }));
    const ids = await harness.seedConversations(campaignId, pool);
    const obstacle = await Obstacle.before(harness, ids[22] ?? '');
    const operationId = harness.newId('op');
    const applied = (): Promise<number> => {
      return harness.context.database.batches.countDocuments({ operationId, state: 'applied' });
    };
    const killed = await WorkerProcess.start(harness, SMALL_BATCHES);
    await harness.producer.reassign({ operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' });
    await until('some of it to be applied', async () => (await applied()) === 4);
    const heir = await WorkerProcess.start(harness, SMALL_BATCHES);
    await killed.kill();
    await obstacle.clear();
    await until('the next batch', async () => (await applied()) > 4, RECOVERED_WITHIN_MS);
    const ended = async (): Promise<boolean> =>
      (await harness.context.stores.operations.find(operationId))?.state === 'done';
    await until('its end', ended);
    expect(await harness.holdings(campaignId)).toEqual({ t1: 20, t2: 20 });
    await heir.kill();
  });
});
