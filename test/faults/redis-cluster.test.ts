import { afterAll, beforeAll, expect, it } from 'vitest';
import { QueueUnavailable } from '../../src/domain/errors.ts';
import { Harness, many } from '../support/harness.ts';
import { blockMoves } from '../support/blocked-conversation.ts';
import { describeWith, OWN_REDIS } from '../support/needs.ts';
import { record } from '../support/run-operation.ts';
import { rawConversations, rawOperation } from '../support/raw.ts';
import { RedisCluster } from '../support/redis-cluster.ts';
import { until } from '../support/until.ts';

const CONVERSATIONS = 60;
const SETTINGS = {
  batchConversationsMax: 7,
  sliceMs: 50,
  lockMs: 2_000,
  stalledCheckMs: 1_000,
  reconcileEveryMs: 1_000,
};
const WAIT = { waitMs: 60_000 };
const TIMEOUT_MS = 120_000;

function ifAway(error: unknown): undefined {
  if (!(error instanceof QueueUnavailable)) throw error;
}

/** Three primaries with a replica each. */
describeWith(OWN_REDIS)('Baton on a Redis Cluster', { timeout: TIMEOUT_MS }, () => {
  let cluster: RedisCluster;
  let harness: Harness;
  let campaignId: string;

  beforeAll(async () => {
    cluster = await RedisCluster.start();
    const mongodbUri = process.env['MONGODB_URI'] ?? '';
    harness = await Harness.open(SETTINGS, { mongodbUri, redisUrl: cluster.url });
    await Promise.all([harness.startWorker(), harness.startWorker()]);
    campaignId = await harness.seedCampaign(3, { selfAssign: { enabled: true } });
    await harness.seedConversations(campaignId, many(CONVERSATIONS));
  });
  afterAll(async () => {
    await harness.close();
    await cluster.stop();
  });

  const assignees = async (): Promise<(string | null)[]> =>
    [...(await rawConversations(harness, campaignId)).values()].map(({ assigneeId }) => assigneeId);

  const newIds = () => ({ operationId: harness.newId('op'), campaignId });

  it('carries out operations, claims, previews and cancellations with two workers', async () => {
    const all = { ...newIds(), from: 'pool', to: 'everyone', status: 'any' } as const;
    const preview = await harness.producer.preview({ kind: 'reassign', ...all });
    expect(preview).toMatchObject({ moved: CONVERSATIONS });
    const claims = await Promise.all(
      ['t1', 't2', 't3'].map((texterId) =>
        harness.producer.selfAssign({ operationId: harness.newId('cl'), campaignId, texterId, count: 4 }),
      ),
    );
    for (const claim of claims) expect((await claim.result()).conversationIds).toHaveLength(4);
    const { receipt } = await (await harness.producer.reassign(all)).result();
    expect(receipt.moved).toBe(CONVERSATIONS - 12);
    expect(await assignees()).not.toContain(null);
    await expect(harness.producer.cancel({ operationId: all.operationId, campaignId })).rejects.toMatchObject({
      code: 'operation-ended',
    });
  });

  it('continues an operation and accepts others after the primary with the queues is killed', async () => {
    const pool = many(CONVERSATIONS);
    const ids = await harness.seedConversations(campaignId, pool);
    const block = await blockMoves(harness, ids.at(-1) ?? '');
    const all = { ...newIds(), from: 'pool', to: 'everyone', status: 'any' } as const;
    const sent = await harness.producer.reassign(all);
    await until(
      'the first conversations to move',
      async () => ((await harness.loads(campaignId))['pool'] ?? 0) < CONVERSATIONS,
    );
    await cluster.killPrimaryOf(harness.config.queue.prefix);
    await block.remove();
    expect((await sent.result(WAIT)).receipt.moved).toBe(CONVERSATIONS);
    const back = { ...newIds(), from: 'everyone', status: 'any', confirm: 2 * CONVERSATIONS } as const;
    const accepted = await until('the replica to accept a request', () =>
      harness.producer.unassign(back).catch(ifAway),
    );
    expect((await accepted.result(WAIT)).receipt.moved).toBe(2 * CONVERSATIONS);
    // Only a reconcile pass finds this operation: it shows that the worker of that queue also survived the failover.
    const { operationId } = await record(harness.context.stores, { kind: 'reassign', ...all, ...newIds() });
    const isDone = async (): Promise<boolean> => (await rawOperation(harness, operationId)).state === 'done';
    await until('a reconcile pass to find the operation', isDone);
    expect(await assignees()).not.toContain(null);
  });
});
