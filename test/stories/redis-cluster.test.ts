import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness } from '../support/harness.ts';
import { rawConversations } from '../support/raw.ts';
import { RedisCluster } from '../support/redis-cluster.ts';

const CONVERSATIONS = 60;

/** Six servers, three of them replicas: everything that is asked of one Redis is asked of a cluster. */
describe('on a Redis Cluster', () => {
  let cluster: RedisCluster;
  let harness: Harness;
  let campaignId: string;

  beforeAll(async () => {
    cluster = await RedisCluster.start();
    const mongodbUri = process.env['MONGODB_URI'] ?? '';
    harness = await Harness.open({ batchConversationsMax: 7, sliceMs: 50 }, { mongodbUri, redisUrl: cluster.url });
    await Promise.all([harness.startWorker(), harness.startWorker()]);
    campaignId = await harness.seedCampaign(3, { selfAssign: { enabled: true } });
    await harness.seedConversations(
      campaignId,
      Array.from({ length: CONVERSATIONS }, () => ({})),
    );
  });
  afterAll(async () => {
    await harness.close();
    await cluster.stop();
  });

  const holders = async (): Promise<(string | null)[]> =>
    [...(await rawConversations(harness, campaignId)).values()].map(({ assigneeId }) => assigneeId);

  const asked = () => ({ operationId: harness.newId('op'), campaignId });

  it('operations, claims, previews and cancellations find their way through two workers and back', async () => {
    const all = { ...asked(), from: 'pool', to: 'everyone', status: 'any' } as const;
    const preview = await harness.producer.preview({ kind: 'reassign', ...all });
    expect(preview).toMatchObject({ moved: CONVERSATIONS });
    const claims = await Promise.all(
      ['t1', 't2', 't3'].map((texterId) =>
        harness.producer.selfAssign({ claimId: harness.newId('cl'), campaignId, texterId, count: 4 }),
      ),
    );
    for (const claim of claims) expect((await claim.result()).conversationIds).toHaveLength(4);
    const { receipt } = await (await harness.producer.reassign(all)).result();
    expect(receipt.moved).toBe(CONVERSATIONS - 12);
    expect(await holders()).not.toContain(null);
    await expect(harness.producer.cancel({ operationId: all.operationId, campaignId })).rejects.toMatchObject({
      code: 'operation-ended',
    });
  });
});
