import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness } from '../support/harness.ts';
import { blockMoves } from '../support/blocked-conversation.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

/** A lock expires and the next check for stalled jobs follows, with some time to spare. */
const RECOVERED_WITHIN_MS = 15_000;
/** With one batch at a time, no batch after the blocked one has begun. */
const SMALL_BATCHES = { BATON_BATCH_CONVERSATIONS_MAX: '5', BATON_BATCHES_IN_FLIGHT_MAX: '1' };

describe('a worker at default settings', { timeout: 120_000 }, () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  it('continues the operation of a killed worker within fifteen seconds', async () => {
    const campaignId = await harness.seedCampaign(2);
    const pool = Array.from({ length: 40 }, (_, at) => ({ waitedMs: 40_000 - at }));
    const ids = await harness.seedConversations(campaignId, pool);
    const block = await blockMoves(harness, ids[22] ?? '');
    const operationId = harness.newId('op');
    const applied = (): Promise<number> => {
      return harness.context.database.batches.countDocuments({ operationId, state: 'applied' });
    };
    const killed = await WorkerProcess.start(harness, SMALL_BATCHES);
    await harness.producer.reassign({ operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' });
    await until('four batches to be applied', async () => (await applied()) === 4);
    const other = await WorkerProcess.start(harness, SMALL_BATCHES);
    await killed.kill();
    await block.remove();
    await until('the next batch to be applied', async () => (await applied()) > 4, RECOVERED_WITHIN_MS);
    const ended = async (): Promise<boolean> =>
      (await harness.context.stores.operations.find(operationId))?.state === 'done';
    await until('the operation to be done', ended);
    expect(await harness.loads(campaignId)).toEqual({ t1: 20, t2: 20 });
    await other.kill();
  });
});
