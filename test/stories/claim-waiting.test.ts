import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MongoClaimStore } from '../../src/claims/claim-store.ts';
import type { SentClaim } from '../../src/producer/producer-port.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { claimDoc } from '../support/documents.ts';
import { Harness, many } from '../support/harness.ts';
import { until } from '../support/until.ts';
import { LONG_MS, WaitingClaims } from '../support/waiting-claims.ts';

const RULES = { enabled: true, batchMax: 50, openMax: 60 };

describe('claims that wait for the pool to be refilled', () => {
  let harness: Harness;
  let waiting: WaitingClaims;
  beforeAll(async () => {
    harness = await Harness.open();
    waiting = new WaitingClaims(harness);
    await harness.startWorker();
    await harness.startWorker();
  });
  afterAll(async () => {
    await waiting.close();
    await harness.close();
  });

  const claims = () => harness.context.stores.claims;

  const sendWaiting = (campaignId: string, texterId: string, count: number): Promise<SentClaim> =>
    waiting.send({ campaignId, texterId, count });

  async function sendAllWaiting(campaignId: string, counts: readonly number[]): Promise<SentClaim[]> {
    const sent: SentClaim[] = [];
    for (const [at, count] of counts.entries()) sent.push(await sendWaiting(campaignId, `t${at + 1}`, count));
    return sent;
  }

  const grantedCounts = async (sent: readonly SentClaim[]): Promise<number[]> =>
    Promise.all(sent.map(async ({ operationId }) => (await claims().find(operationId))?.granted.length ?? 0));

  const refill = (campaignId: string, count: number): Promise<string[]> => waiting.refill(campaignId, count);

  const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

  /** Resolves when the claims have `total` conversations together. */
  const allGranted = (sent: readonly SentClaim[], total: number): Promise<unknown> =>
    until(`${total} conversations to be granted`, async () => sum(await grantedCounts(sent)) === total);

  it('are served in the order of arrival, in parts where necessary, over several refills', async () => {
    const campaignId = await harness.seedCampaign(4, { selfAssign: RULES });
    const sent = await sendAllWaiting(campaignId, [5, 3, 4, 2]);
    const ids: string[] = [];
    for (const [refilled, have] of [
      [2, [2, 0, 0, 0]],
      [4, [5, 1, 0, 0]],
      [1, [5, 2, 0, 0]],
      [6, [5, 3, 4, 1]],
      [9, [5, 3, 4, 2]],
    ] as const) {
      ids.push(...(await refill(campaignId, refilled)));
      await allGranted(sent, sum(have));
      expect(await grantedCounts(sent)).toEqual(have);
    }
    const results = await Promise.all(sent.map((each) => each.result()));
    expect(results.flatMap(({ conversationIds }) => conversationIds)).toEqual(ids.slice(0, 14));
    expect(results.map(({ receipt }) => [receipt.moved, receipt.asked, receipt.shortBecause])).toEqual([
      [5, 5, null],
      [3, 3, null],
      [4, 4, null],
      [2, 2, null],
    ]);
    expect(await harness.loads(campaignId)).toEqual({ t1: 5, t2: 3, t3: 4, t4: 2, pool: 8 });
  });

  it('are served after an unassign, after an unassign of one conversation, and after an import', async () => {
    const campaignId = await harness.seedCampaign(4, { selfAssign: RULES });
    const assigned = await harness.seedConversations(campaignId, many(4, { assigneeId: 't4' }));
    const sent = await sendAllWaiting(campaignId, [3, 1, 2]);
    const id = (): { operationId: string; campaignId: string } => ({ operationId: harness.newId('op'), campaignId });
    const unassign = { ...id(), from: { texterIds: ['t4'] }, status: 'not-started', count: 3 } as const;
    await (await harness.producer.unassign(unassign)).result();
    expect((await sent[0]?.result())?.conversationIds).toEqual(assigned.slice(0, 3));
    await (await harness.producer.unassignOne({ ...id(), conversationId: assigned[3] ?? '' })).result();
    expect((await sent[1]?.result())?.conversationIds).toEqual(assigned.slice(3));
    const file = 'name,phone\nAda,+12025550191\nBea,+12025550192\nCal,+12025550193\n';
    await new Cli(cliEnv(harness.config)).json(['import', campaignId, '-'], file);
    expect((await sent[2]?.result())?.receipt).toMatchObject({ moved: 2, shortBecause: null });
    expect(await harness.loads(campaignId)).toEqual({ t1: 3, t2: 1, t3: 2, pool: 1 });
  });

  it('are not granted a conversation again that was taken away from the texter meanwhile', async () => {
    const campaignId = await harness.seedCampaign(2, { selfAssign: RULES });
    const ids = await harness.seedConversations(campaignId, many(2));
    const sent = await sendAllWaiting(campaignId, [4, 1]);
    const from = { texterIds: ['t1'] };
    const unassign = { operationId: harness.newId('op'), campaignId, from, status: 'any', count: 2 } as const;
    await (await harness.producer.unassign(unassign)).result();
    expect((await sent[1]?.result())?.conversationIds).toEqual(ids.slice(0, 1));
    const fresh = await refill(campaignId, 2);
    expect((await sent[0]?.result())?.conversationIds).toEqual([...ids, ...fresh]);
    expect(await harness.loads(campaignId)).toEqual({ t1: 2, t2: 1, pool: 1 });
  });

  it('are granted conversations that came back, without a notification, just before their job was snoozed', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: RULES });
    const inRound = Reflect.get<MongoClaimStore, 'inRound'>(MongoClaimStore.prototype, 'inRound');
    const spy = vi.spyOn(MongoClaimStore.prototype, 'inRound').mockImplementationOnce(async function (
      this: MongoClaimStore,
      ...args
    ) {
      const round = await inRound.apply(this, args);
      await harness.seedConversations(campaignId, many(2));
      return round;
    });
    const claim = { operationId: harness.newId('cl'), campaignId, texterId: 't1', count: 2, waitMs: LONG_MS };
    const result = await (await harness.producer.selfAssign(claim)).result({ waitMs: 20_000 });
    spy.mockRestore();
    expect(result.receipt).toMatchObject({ moved: 2, shortBecause: null });
  });

  it('are served before a new claim, which gets the remaining conversations', async () => {
    const campaignId = await harness.seedCampaign(3, { selfAssign: RULES });
    const sent = await sendAllWaiting(campaignId, [4, 4]);
    // This refill is not reported, so that the round of the new claim finds it.
    const ids = await harness.seedConversations(campaignId, many(9));
    const late = { operationId: harness.newId('cl'), campaignId, texterId: 't3', count: 5 };
    const result = await (await harness.producer.selfAssign(late)).result();
    expect(result.conversationIds).toEqual(ids.slice(8));
    expect(result.receipt).toMatchObject({ moved: 1, shortBecause: 'none-left' });
    const waited = await Promise.all(sent.map((each) => each.result()));
    expect(waited.map(({ conversationIds }) => conversationIds)).toEqual([ids.slice(0, 4), ids.slice(4, 8)]);
  });

  it('are all served after one refill, even 250 of them, and before any new claim', async () => {
    const campaignId = await harness.seedCampaign(251, { selfAssign: RULES });
    const sending = Array.from({ length: 250 }, (_, at) => {
      const input = { operationId: harness.newId('cl'), campaignId, texterId: `t${at + 1}`, count: 2, waitMs: LONG_MS };
      return harness.producer.selfAssign(input);
    });
    const sent = await Promise.all(sending);
    await until('all claims to wait', async () => {
      const filter = { campaignId, waiting: { $exists: true } };
      return (await harness.context.database.claims.countDocuments(filter)) === 250;
    });
    const order = await harness.context.database.claims
      .find({ campaignId }, { sort: { 'waiting.sequence': 1 } })
      .toArray();
    const ids = await harness.seedConversations(campaignId, many(503));
    const late = { operationId: harness.newId('cl'), campaignId, texterId: 't251', count: 5 };
    const result = await (await harness.producer.selfAssign(late)).result();
    expect(result.conversationIds).toEqual(ids.slice(500));
    const results = new Map(
      (await Promise.all(sent.map((each) => each.result()))).map((each) => [each.operationId, each]),
    );
    expect(order.flatMap(({ _id }) => results.get(_id)?.conversationIds ?? [])).toEqual(ids.slice(0, 500));
  });

  it('do not delay later claims while their own texter is at the limit or behind with replies', async () => {
    const campaignId = await harness.seedCampaign(4, { selfAssign: { ...RULES, openMax: 6, repliesMax: 0 } });
    const sent = await sendAllWaiting(campaignId, [3, 3, 3, 3]);
    await harness.seedConversations(campaignId, [
      ...many(6, { assigneeId: 't1' }),
      ...many(6, { assigneeId: 't2' }),
      { assigneeId: 't3', status: 'needs-reply' as const },
    ]);
    const ids = await refill(campaignId, 5);
    expect((await sent[3]?.result())?.conversationIds).toEqual(ids.slice(0, 3));
    expect(await grantedCounts(sent)).toEqual([0, 0, 0, 3]);
  });

  it('end at once with the reason when their texter is paused, and keep what they have', async () => {
    const campaignId = await harness.seedCampaign(2, { selfAssign: RULES });
    await harness.seedConversations(campaignId, many(1));
    const sent = await sendAllWaiting(campaignId, [3, 3]);
    await harness.pause(campaignId, 't1');
    await harness.producer.poolRefilled(campaignId);
    expect((await sent[0]?.result())?.receipt).toMatchObject({ moved: 1, shortBecause: 'texter-inactive' });
    expect(await harness.isWaiting(sent[1]?.operationId ?? '')).toBe(true);
  });

  it('end beside a damaged one, which ends at its deadline', async () => {
    const campaignId = await harness.seedCampaign(2, { selfAssign: RULES });
    const [sent] = await sendAllWaiting(campaignId, [3]);
    const waiting = { sequence: 0, until: new Date(Date.now() + LONG_MS) };
    const damaged = { _id: harness.newId('cl'), campaignId, state: 'accepted', waiting, receipt: null } as const;
    await harness.seeder.operations([claimDoc(damaged)]);
    await harness.pause(campaignId, 't1');
    expect(await claims().endRefused(campaignId)).toEqual([sent?.operationId]);
    expect(await harness.isWaiting(sent?.operationId ?? '')).toBe(false);
    expect(await harness.isWaiting(damaged._id)).toBe(true);
  });

  it.each([
    ['any', 'unassigned'],
    ['needs-reply', null],
  ] as const)('end when everything with status %s is unassigned from their texter: %s', async (status, reason) => {
    const campaignId = await harness.seedCampaign(2, { selfAssign: RULES });
    await harness.seedConversations(campaignId, many(2));
    const sent = await sendAllWaiting(campaignId, [4, 1]);
    const unassign = { operationId: harness.newId('op'), campaignId, from: { texterIds: ['t1'] }, status } as const;
    const { receipt } = await (await harness.producer.unassign({ ...unassign, confirm: 2 })).result();
    expect(receipt.claimsEnded).toBe(reason ? 1 : undefined);
    if (!reason) return expect(await harness.isWaiting(sent[0]?.operationId ?? '')).toBe(true);
    expect((await sent[0]?.result())?.receipt).toMatchObject({ moved: 2, shortBecause: reason });
    expect((await sent[1]?.result())?.receipt).toMatchObject({ moved: 1 });
    expect(await harness.loads(campaignId)).toEqual({ t2: 1, pool: 1 });
  });

  it('are not ended by an unassign that is refused', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: RULES });
    await harness.seedConversations(campaignId, many(2));
    const [sent] = await sendAllWaiting(campaignId, [4]);
    const unassign = { operationId: harness.newId('op'), campaignId, from: 'everyone', status: 'any' } as const;
    const refused = (await harness.producer.unassign({ ...unassign, confirm: 1 })).result();
    await expect(refused).rejects.toMatchObject({ code: 'confirmation-drifted' });
    expect(await harness.isWaiting(sent?.operationId ?? '')).toBe(true);
  });

  it('do not delay later claims even when more of them are blocked than one page holds', async () => {
    const campaignId = await harness.seedCampaign(131, { selfAssign: { ...RULES, openMax: 2 } });
    const blocked = Array.from({ length: 130 }, (_, at) => ({
      operationId: harness.newId('cl'),
      campaignId,
      texterId: `t${at + 1}`,
      count: 1,
      waitMs: LONG_MS,
    }));
    const sent = await Promise.all(blocked.map((each) => harness.producer.selfAssign(each)));
    for (const { operationId } of sent) {
      await until(`${operationId} to wait`, () => harness.isWaiting(operationId));
    }
    const behind = await sendWaiting(campaignId, 't131', 2);
    await harness.seedConversations(
      campaignId,
      blocked.flatMap(({ texterId: assigneeId }) => many(2, { assigneeId })),
    );
    await refill(campaignId, 200);
    expect((await behind.result()).receipt).toMatchObject({ moved: 2 });
    expect(await harness.loads(campaignId)).toMatchObject({ t1: 2, t130: 2, t131: 2, pool: 198 });
  });

  it('end with their conversations when the maximum for one claim is lowered to that number', async () => {
    const campaignId = await harness.seedCampaign(2, { selfAssign: { ...RULES, batchMax: 8 } });
    const sent = await sendAllWaiting(campaignId, [8, 8]);
    await refill(campaignId, 5);
    await allGranted(sent, 5);
    const lowered = { $set: { 'selfAssign.batchMax': 4 } };
    await harness.context.database.campaigns.updateOne({ _id: campaignId }, lowered);
    await refill(campaignId, 20);
    const results = await Promise.all(sent.map((each) => each.result()));
    expect(results.map(({ receipt }) => [receipt.moved, receipt.shortBecause])).toEqual([
      [5, 'batch-max'],
      [4, 'batch-max'],
    ]);
  });

  it('end at their deadline with the conversations they have, and take no later ones', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: RULES });
    await harness.seedConversations(campaignId, many(2));
    const input = { operationId: harness.newId('cl'), campaignId, texterId: 't1', count: 5, waitMs: 700 };
    const sent = await harness.producer.selfAssign(input);
    const result = await sent.result();
    expect(result.receipt).toMatchObject({ moved: 2, asked: 5, shortBecause: 'none-left' });
    const { acceptedAt, endedAt, state } = (await claims().find(sent.operationId)) ?? {};
    expect(state).toBe('done');
    expect(endedAt?.getTime()).toBeGreaterThanOrEqual((acceptedAt?.getTime() ?? Infinity) + 700);
    await refill(campaignId, 3);
    const probe = { operationId: harness.newId('cl'), campaignId, texterId: 't1', count: 3 };
    expect((await (await harness.producer.selfAssign(probe)).result()).receipt.moved).toBe(3);
    expect(await (await harness.producer.selfAssign(input)).result()).toEqual({ ...result, outcome: 'exists' });
  });
});
