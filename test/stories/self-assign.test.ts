import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness, many } from '../support/harness.ts';
import { removeJob } from '../support/raw-queue.ts';
import { until } from '../support/until.ts';

describe('a texter who claims conversations', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
    await harness.startWorker();
    await harness.startWorker();
  });
  afterAll(() => harness.close());

  const enabled = { enabled: true, batchMax: 50, openMax: 60 };
  const claim = async (
    campaignId: string,
    texterId: string,
    more: { count?: number; operationId?: string; waitMs?: number } = {},
  ) => harness.producer.selfAssign({ operationId: harness.newId('cl'), campaignId, texterId, ...more });

  it('gets the oldest not-started conversations of the pool, and never an opted-out one', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: enabled });
    const ids = await harness.seedConversations(campaignId, [
      { waitedMs: 10 },
      { waitedMs: 50, optedOut: true },
      { waitedMs: 40 },
      { waitedMs: 30, status: 'needs-reply' },
      { waitedMs: 20 },
    ]);
    const result = await (await claim(campaignId, 't1', { count: 2 })).result();
    expect(result.conversationIds).toEqual([ids[2], ids[4]]);
    expect(result).toMatchObject({ outcome: 'created', receipt: { moved: 2, asked: 2, shortBecause: null } });
  });

  it('gets the same list for the same operation id, even after some of the conversations have moved on', async () => {
    const campaignId = await harness.seedCampaign(2, { selfAssign: enabled });
    await harness.seedConversations(campaignId, many(20));
    const operationId = harness.newId('cl');
    const first = await (await claim(campaignId, 't1', { operationId, count: 5 })).result();
    const from = { texterIds: ['t1'] };
    const to = { texterIds: ['t2'] };
    const reassign = { operationId: harness.newId('op'), campaignId, from, to, status: 'any', count: 2 } as const;
    await (await harness.producer.reassign(reassign)).result();
    await removeJob(harness, 'claims', operationId);
    const again = await (await claim(campaignId, 't1', { operationId, count: 5 })).result();
    expect(again).toEqual({ ...first, outcome: 'exists' });
    expect(await harness.loads(campaignId)).toEqual({ pool: 15, t1: 3, t2: 2 });
  });

  it('gets no more than the limits for one claim and for all claims, and the receipt names the limit that applied', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: enabled });
    await harness.seedConversations(campaignId, many(200));
    const first = await (await claim(campaignId, 't1', { count: 100 })).result();
    expect(first.receipt).toMatchObject({ moved: 50, shortBecause: 'batch-max' });
    const second = await (await claim(campaignId, 't1', { count: 20 })).result();
    expect(second.receipt).toMatchObject({ moved: 10, shortBecause: 'open-max' });
    const third = await claim(campaignId, 't1', { count: 1 });
    await expect(third.result()).rejects.toMatchObject({ code: 'open-max-reached', received: '60' });
  });

  it('cannot exceed the limit of the campaign with twenty claims at once', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: enabled });
    await harness.seedConversations(campaignId, many(300));
    const sent = await Promise.all(Array.from({ length: 20 }, () => claim(campaignId, 't1', { count: 7 })));
    await Promise.allSettled(sent.map((each) => each.result()));
    expect(await harness.loads(campaignId)).toEqual({ t1: 60, pool: 240 });
  });

  it('waits on request until conversations come back, and is served in the order of arrival', async () => {
    const campaignId = await harness.seedCampaign(3, { selfAssign: enabled });
    await harness.seedConversations(campaignId, [{}, ...Array.from({ length: 8 }, () => ({ assigneeId: 't3' }))]);
    const first = await claim(campaignId, 't1', { count: 4, waitMs: 60_000 });
    await until('the first claim to wait', () => harness.isWaiting(first.operationId));
    const second = await claim(campaignId, 't2', { count: 5, waitMs: 60_000 });
    await until('the second claim to wait', () => harness.isWaiting(second.operationId));
    const release = {
      operationId: harness.newId('op'),
      campaignId,
      from: { texterIds: ['t3'] },
      status: 'any',
    } as const;
    await (await harness.producer.unassign({ ...release, confirm: 8 })).result();
    const [one, two] = await Promise.all([first.result(), second.result()]);
    expect(one.receipt).toMatchObject({ moved: 4, shortBecause: null });
    expect(two.receipt).toMatchObject({ moved: 5, shortBecause: null });
    expect(await harness.loads(campaignId)).toEqual({ t1: 4, t2: 5 });
  });

  it('gets the conversations granted so far when the claim’s deadline passes', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: enabled });
    await harness.seedConversations(campaignId, [{}, {}]);
    const result = await (await claim(campaignId, 't1', { count: 5, waitMs: 500 })).result();
    expect(result.receipt).toMatchObject({ moved: 2, asked: 5, shortBecause: 'none-left' });
  });

  it.each([
    ['self-assign-off', { enabled: false }, 't1', {}],
    ['unknown-texter', enabled, 'stranger', {}],
    ['replies-first', { ...enabled, repliesMax: 0 }, 't1', { assigneeId: 't1', status: 'needs-reply' }],
  ] as const)('is refused with %s, and nothing moves', async (code, selfAssign, texterId, seeded) => {
    const campaignId = await harness.seedCampaign(1, { selfAssign });
    await harness.seedConversations(campaignId, [seeded, {}]);
    const before = await harness.loads(campaignId);
    await expect((await claim(campaignId, texterId)).result()).rejects.toMatchObject({ code });
    expect(await harness.loads(campaignId)).toEqual(before);
  });

  it('gets conversations that no other of 100 texters with claims on the same pool gets', async () => {
    const campaignId = await harness.seedCampaign(100, { selfAssign: enabled });
    await harness.seedConversations(
      campaignId,
      Array.from({ length: 650 }, (_, at) => ({ waitedMs: at })),
    );
    const texters = Array.from({ length: 100 }, (_, index) => `t${index + 1}`);
    const sent = await Promise.all(texters.map((texterId) => claim(campaignId, texterId, { count: 7 })));
    const results = await Promise.all(sent.map((each) => each.result()));
    const granted = results.flatMap((result) => result.conversationIds);
    expect(granted).toHaveLength(650);
    expect(new Set(granted).size).toBe(650);
    expect((await harness.loads(campaignId))['pool']).toBeUndefined();
  });
});
