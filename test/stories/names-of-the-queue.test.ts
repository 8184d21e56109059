import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness } from '../support/harness.ts';

/** The queue keeps jobs beside keys of its own: an operation's id must never be able to stand in for one. */
describe('an operation whose id is a word of the queue', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
    await harness.startWorker();
  });
  afterAll(() => harness.close());

  const WORDS = ['wait', 'events', 'marker', 'active', 'delayed', 'completed', 'failed', 'stalled', 'id', 'meta', '42'];
  it.each(WORDS)('"%s" is one like any other', async (operationId) => {
    const campaignId = await harness.seedCampaign(1);
    await harness.seedConversations(campaignId, [{}]);
    const request = { operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' } as const;
    const result = await (await harness.producer.reassign(request)).result();
    expect(result.receipt.moved).toBe(1);
  });

  it('leaves the queue fit for the next', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: { enabled: true } });
    await harness.seedConversations(campaignId, [{}, {}]);
    const claim = { claimId: 'prioritized', campaignId, texterId: 't1', count: 2 };
    expect((await (await harness.producer.selfAssign(claim)).result()).conversationIds).toHaveLength(2);
  });
});
