import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness } from '../support/harness.ts';
import { rawOperations } from '../support/raw.ts';
import { until } from '../support/until.ts';

const LARGE = 2_400;
const SMALL_CAMPAIGNS = 20;
const EACH = 2;
const SMALL = 12;

describe('the operations of twenty small campaigns beside one large operation', { timeout: 180_000 }, () => {
  let harness: Harness;
  beforeAll(async () => {
    // With two jobs at a time and short slices, an operation that kept its place would delay the others.
    harness = await Harness.open({ operationConcurrency: 2, sliceMs: 1, batchConversationsMax: 10 });
    await harness.startWorker();
  });
  afterAll(() => harness.close());

  const seed = async (conversations: number): Promise<string> => {
    const campaignId = await harness.seedCampaign(3);
    await harness.seedConversations(
      campaignId,
      Array.from({ length: conversations }, (_, at) => ({ waitedMs: at })),
    );
    return campaignId;
  };

  it('end before the large operation, and in the order accepted within each campaign', async () => {
    const all = { from: 'everyone', to: 'everyone', status: 'any' } as const;
    const large = await seed(LARGE);
    const small = await Promise.all(Array.from({ length: SMALL_CAMPAIGNS }, () => seed(SMALL)));
    const largeId = harness.newId('large');
    const sentLarge = await harness.producer.reassign({ ...all, campaignId: large, operationId: largeId });
    await until(
      'the large operation to run',
      async () => (await harness.context.stores.batches.recent(largeId, 1)).length > 0,
    );
    const sent = await Promise.all(
      small.flatMap((campaignId) =>
        Array.from({ length: EACH }, () => {
          return harness.producer.reassign({
            ...all,
            from: 'pool',
            campaignId,
            operationId: harness.newId('small'),
            count: 4,
          });
        }),
      ),
    );
    for (const each of sent) expect((await each.result({ waitMs: 120_000 })).receipt.moved).toBe(4);
    expect(await harness.context.stores.operations.find(largeId)).toMatchObject({ state: 'running' });
    for (const campaignId of small) {
      const operations = await rawOperations(harness, campaignId);
      expect(operations.map(({ sequence, state }) => [sequence, state])).toEqual([1, 2].map((at) => [at, 'done']));
      for (const [at, { startedAt }] of operations.entries()) {
        const before = operations[at - 1]?.endedAt?.getTime() ?? 0;
        expect(startedAt?.getTime()).toBeGreaterThanOrEqual(before);
      }
    }
    expect((await sentLarge.result({ waitMs: 120_000 })).receipt.moved).toBe(LARGE);
  });
});
