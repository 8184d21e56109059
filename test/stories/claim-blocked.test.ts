import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { serveClaims } from '../../src/claims/index.ts';
import { MongoRoundStore } from '../../src/claims/round-store.ts';
import { objectIds } from '../../src/mongo/documents.ts';
import type { SentClaim } from '../../src/producer/producer-port.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness, many } from '../support/harness.ts';
import { pauseReconcile } from '../support/raw-queue.ts';
import { until } from '../support/until.ts';
import { WaitingClaims } from '../support/waiting-claims.ts';

const RULES = { enabled: true, batchMax: 50, openMax: 60 };

describe('waiting claims that are replaced or blocked', () => {
  let harness: Harness;
  let waiting: WaitingClaims;
  beforeAll(async () => {
    harness = await Harness.open();
    // No pass repairs a lost wake-up.
    await pauseReconcile(harness);
    waiting = new WaitingClaims(harness);
    await harness.startWorker();
    await harness.startWorker();
  });
  afterAll(async () => {
    await waiting.close();
    await harness.close();
  });

  const send = (campaignId: string, texterId: string, count: number): Promise<SentClaim> =>
    waiting.send({ campaignId, texterId, count });

  it('end at once, with what they have, when their texter sends a newer one that waits', async () => {
    const campaignId = await harness.seedCampaign(2, { selfAssign: RULES });
    const ids = await harness.seedConversations(campaignId, many(2));
    const [older, other] = [await send(campaignId, 't1', 5), await send(campaignId, 't2', 5)];
    const newer = await send(campaignId, 't1', 4);
    const replaced = await older.result();
    expect(replaced).toMatchObject({ conversationIds: ids, receipt: { moved: 2, asked: 5, shortBecause: 'replaced' } });
    const fresh = await waiting.refill(campaignId, 9);
    expect((await other.result()).conversationIds).toEqual(fresh.slice(0, 5));
    expect((await newer.result()).conversationIds).toEqual(fresh.slice(5));
  });

  it('do not end when their texter asks for more without waiting', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: RULES });
    const sent = await send(campaignId, 't1', 3);
    const now = { operationId: harness.newId('cl'), campaignId, texterId: 't1', count: 1 };
    expect((await (await harness.producer.selfAssign(now)).result()).receipt).toMatchObject({ moved: 0 });
    expect(await harness.isWaiting(sent.operationId)).toBe(true);
  });

  /** Returns a claim of t1 that a rule blocks, and conversations that it could get. */
  async function blockedClaim(): Promise<{ campaignId: string; sent: SentClaim; assigned: string[]; ids: string[] }> {
    const campaignId = await harness.seedCampaign(1, { selfAssign: { ...RULES, openMax: 6 } });
    const sent = await send(campaignId, 't1', 3);
    const assigned = await harness.seedConversations(campaignId, many(6, { assigneeId: 't1' }));
    const ids = await waiting.refill(campaignId, 5);
    await until(
      'the claim to be blocked',
      async () => (await harness.context.stores.claims.find(sent.operationId))?.waiting?.isBlocked,
    );
    return { campaignId, sent, assigned, ids };
  }

  it('are not read by rounds while a rule blocks them', async () => {
    const { campaignId } = await blockedClaim();
    const read = vi.spyOn(MongoRoundStore.prototype, 'readWaiting');
    await serveClaims(harness.context.stores.claims, campaignId, []);
    expect(await Promise.all(read.mock.results.map(({ value }) => value as unknown))).toEqual([[]]);
    read.mockRestore();
  });

  it('are served when a rule no longer blocks them', async () => {
    const { campaignId, sent, ids } = await blockedClaim();
    await new Cli(cliEnv(harness.config)).json(['campaign', 'rules', campaignId, '--open-max', '8']);
    expect(await sent.result()).toMatchObject({
      conversationIds: ids.slice(0, 2),
      receipt: { shortBecause: 'open-max' },
    });
  });

  it('are served when their texter has started some conversations in another program', async () => {
    const { campaignId, sent, assigned, ids } = await blockedClaim();
    const started = { _id: { $in: objectIds(assigned.slice(0, 4)) } };
    await harness.context.database.conversations.updateMany(started, { $set: { status: 'awaiting-contact' } });
    await harness.producer.poolRefilled(campaignId);
    expect((await sent.result()).conversationIds).toEqual(ids.slice(0, 3));
  });

  it('are served when the load of their texter falls while the round that blocks them runs', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: { ...RULES, openMax: 6 } });
    const sent = await send(campaignId, 't1', 3);
    const assigned = await harness.seedConversations(campaignId, many(6, { assigneeId: 't1' }));
    const { database, stores } = harness.context;
    const blocking = vi.spyOn(MongoRoundStore.prototype, 'updateWaiting').mockImplementationOnce(async function (
      this: MongoRoundStore,
      changes,
    ) {
      const started = { _id: { $in: objectIds(assigned) } };
      await database.conversations.updateMany(started, { $set: { status: 'awaiting-contact' } });
      // The check that the change asks for finds no blocked claim yet.
      expect(await stores.claims.unblock(campaignId)).toEqual({ checked: 0, unblocked: 0 });
      blocking.mockRestore();
      await this.updateWaiting(changes);
    });
    const ids = await waiting.refill(campaignId, 5);
    expect((await sent.result()).conversationIds).toEqual(ids.slice(0, 3));
  });

  it('are served when conversations of their texter are moved to another one', async () => {
    const { campaignId, sent, assigned, ids } = await blockedClaim();
    const id = { operationId: harness.newId('op'), campaignId };
    await (await harness.producer.unassignOne({ ...id, conversationId: assigned[0] ?? '' })).result();
    expect(await sent.result()).toMatchObject({ receipt: { moved: 1, shortBecause: 'open-max' } });
    expect(await harness.loads(campaignId)).toEqual({ t1: 6, pool: ids.length });
  });
});
