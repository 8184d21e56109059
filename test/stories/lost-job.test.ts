import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness, many } from '../support/harness.ts';
import { removeJob } from '../support/raw-queue.ts';
import { until } from '../support/until.ts';

describe('a running operation whose job the queue has lost', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open({ batchConversationsMax: 5, batchesInFlightMax: 1, sliceMs: 1 });
  });
  afterAll(() => harness.close());

  it('continues when the next operation of its campaign is sent, and both end', async () => {
    const { stores } = harness.context;
    const campaignId = await harness.seedCampaign(3);
    await harness.seedConversations(campaignId, many(400));
    const all = { campaignId, from: 'pool', to: 'everyone', status: 'any' } as const;
    const lost = harness.newId('op');
    const worker = await harness.startWorker();
    await harness.producer.reassign({ ...all, operationId: lost });
    await until('three batches to be planned', async () => (await stores.batches.recent(lost, 3)).length === 3);
    await worker.close();
    expect(await stores.operations.find(lost)).toMatchObject({ state: 'running' });
    await removeJob(harness, 'operations', lost);

    await harness.startWorker();
    const next = { operationId: harness.newId('op'), campaignId, from: { texterIds: ['t1'] }, to: 'everyone' } as const;
    const result = await (await harness.producer.reassign({ ...next, status: 'any' })).result();
    expect(await stores.operations.find(lost)).toMatchObject({ state: 'done', receipt: { moved: 400 } });
    expect(result.receipt).toMatchObject({ moved: 134 });
    expect(await harness.loads(campaignId)).toEqual({ t2: 200, t3: 200 });
  });
});
