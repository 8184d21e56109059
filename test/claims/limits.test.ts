import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveClaims } from '../../src/claims/index.ts';
import type { Claim } from '../../src/claims/claim.ts';
import { objectIds } from '../../src/mongo/documents.ts';
import { Harness, many } from '../support/harness.ts';
import { runToEnd } from '../support/run-operation.ts';

describe('conversations of contacts who opted out, and incomplete ones', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  async function claim(campaignId: string): Promise<Claim | undefined> {
    const request = { kind: 'self-assign', operationId: harness.newId('cl'), campaignId, texterId: 't1' } as const;
    const command = { request, requestHash: 'h', sendId: 's' };
    return (await serveClaims(harness.context.stores.claims, campaignId, [command])).answered[0];
  }

  async function withoutOptOut(ids: readonly string[]): Promise<void> {
    await harness.context.database.conversations.updateMany(
      { _id: { $in: objectIds(ids) } },
      { $unset: { optedOut: '' } },
    );
  }

  it('do not count against openMax', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: { enabled: true, openMax: 3 } });
    await harness.seedConversations(campaignId, [...many(3, { assigneeId: 't1', optedOut: true }), ...many(7, {})]);
    await withoutOptOut(await harness.seedConversations(campaignId, many(2, { assigneeId: 't1' })));
    const served = await claim(campaignId);
    expect(served?.receipt).toMatchObject({ moved: 3, shortBecause: 'open-max' });
    expect((await claim(campaignId))?.error).toMatchObject({ code: 'open-max-reached', received: '3' });
  });

  it('do not count against repliesMax', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: { enabled: true, repliesMax: 1 } });
    const replies = { assigneeId: 't1', status: 'needs-reply' } as const;
    await harness.seedConversations(campaignId, [...many(4, { ...replies, optedOut: true }), replies, ...many(2, {})]);
    await withoutOptOut(await harness.seedConversations(campaignId, many(2, replies)));
    expect((await claim(campaignId))?.receipt).toMatchObject({ moved: 2 });
    await harness.seedConversations(campaignId, [replies]);
    expect((await claim(campaignId))?.error).toMatchObject({ code: 'replies-first', received: '2' });
  });

  it('do not count as loads of a reassign that levels', async () => {
    const campaignId = await harness.seedCampaign(2);
    await harness.seedConversations(campaignId, [...many(6, { assigneeId: 't1', optedOut: true }), ...many(10, {})]);
    await withoutOptOut(await harness.seedConversations(campaignId, many(2, { assigneeId: 't1' })));
    const request = { kind: 'reassign', operationId: harness.newId('op'), campaignId, status: 'any' } as const;
    await runToEnd(harness.context.stores, { ...request, from: 'pool', to: 'everyone', spread: 'level' });
    expect(await harness.loads(campaignId)).toEqual({ t1: 6 + 2 + 5, t2: 5 });
  });
});
