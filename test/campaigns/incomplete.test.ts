import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveClaims } from '../../src/claims/index.ts';
import type { CampaignDoc, TexterDoc } from '../../src/mongo/documents.ts';
import { SELF_ASSIGN_DEFAULT } from '../../src/domain/self-assign.ts';
import { Harness, many } from '../support/harness.ts';
import { runToEnd } from '../support/run-operation.ts';

describe('campaigns and texters that other programs have written', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  const CREATED_AT = Date.parse('2026-01-01T00:00:00Z');

  /** Writes documents with no more than these fields. */
  async function written(texters: readonly Partial<TexterDoc>[]): Promise<string> {
    const campaignId = harness.newId('c');
    const { database } = harness.context;
    await database.campaigns.insertOne({ _id: campaignId, name: 'Bare' } as CampaignDoc);
    if (texters.length > 0)
      await database.texters.insertMany(texters.map((fields) => ({ campaignId, ...fields }) as TexterDoc));
    return campaignId;
  }

  async function claim(campaignId: string, texterId: string, waitMs?: number): Promise<string | undefined> {
    const wait = waitMs === undefined ? {} : { waitMs };
    const request = { kind: 'self-assign', operationId: harness.newId('cl'), campaignId, texterId, ...wait } as const;
    const command = { request, requestHash: 'h', sendId: 's' };
    const { answered } = await serveClaims(harness.context.stores.claims, campaignId, [command]);
    return answered[0]?.error?.code;
  }

  it('read a campaign with only an id and a name as open, without self-assign', async () => {
    const campaignId = await written([]);
    const campaign = await harness.context.stores.campaigns.find(campaignId);
    const expected = {
      closed: false,
      country: null,
      selfAssign: SELF_ASSIGN_DEFAULT,
      texterCount: 0,
    };
    expect(campaign).toMatchObject({ campaignId, name: 'Bare', ...expected });
  });

  it('run operations on such a campaign, refuse claims with self-assign-off, and rotate the remainder', async () => {
    const campaignId = await written([
      { texterId: 'a', active: true },
      { texterId: 'b', active: true },
    ]);
    await harness.seedConversations(campaignId, [{}, {}]);
    const request = { kind: 'reassign', campaignId, from: 'pool', to: 'everyone', status: 'any', count: 1 } as const;
    for (const operationId of [harness.newId('op'), harness.newId('op')]) {
      expect((await runToEnd(harness.context.stores, { ...request, operationId }))?.receipt).toMatchObject({
        moved: 1,
      });
    }
    expect(await harness.loads(campaignId)).toEqual({ a: 1, b: 1 });
    expect(await claim(campaignId, 'a')).toBe('self-assign-off');
    expect(await harness.context.stores.claims.endRefused(campaignId)).toEqual([]);
  });

  it('change a rule of such a campaign, and serve claims by it and by the defaults of the others', async () => {
    const campaignId = await written([{ texterId: 'a', active: true }]);
    await harness.seedConversations(campaignId, [{}, {}]);
    await harness.context.stores.campaigns.changeRules(campaignId, { enabled: true });
    expect(await claim(campaignId, 'a', 60_000)).toBeUndefined();
    expect(await harness.loads(campaignId)).toEqual({ a: 2 });
  });

  it('order texters with equal or missing orders by their creation, and then by their ids', async () => {
    const at = (second: number): Date => new Date(CREATED_AT + second * 1_000);
    const campaignId = await written([
      { texterId: 'late', active: true, createdAt: at(9) },
      { texterId: 'second', active: true, joinedOrder: 1, createdAt: at(2) },
      { texterId: 'first', active: true, joinedOrder: 1, createdAt: at(1) },
      { texterId: 'y', active: true, createdAt: at(5) },
      { texterId: 'x', active: true, createdAt: at(5) },
    ]);
    const texters = await harness.context.stores.texters.list(campaignId);
    expect(texters.map(({ texterId }) => texterId)).toEqual(['first', 'second', 'x', 'y', 'late']);
    expect(texters.map(({ joinedOrder }) => joinedOrder)).toEqual([1, 2, 3, 4, 5]);
    expect(texters[0]?.name).toBe('first');
  });

  it('give everybody the same when all orders are equal', async () => {
    const campaignId = await written(['a', 'b', 'c'].map((texterId) => ({ texterId, active: true, joinedOrder: 1 })));
    await harness.seedConversations(campaignId, many(9));
    const request = { kind: 'reassign', campaignId, from: 'pool', to: 'everyone', status: 'any', count: 1 } as const;
    for (let round = 0; round < 9; round += 1) {
      await runToEnd(harness.context.stores, { ...request, operationId: harness.newId('op') });
    }
    expect(await harness.loads(campaignId)).toEqual({ a: 3, b: 3, c: 3 });
  });

  it('treat a texter who is not said to be active as paused', async () => {
    const campaignId = await written([{ texterId: 'a' }, { texterId: 'b', active: true }]);
    await harness.seedConversations(campaignId, [{}, {}]);
    await harness.context.stores.campaigns.changeRules(campaignId, { enabled: true });
    expect(await claim(campaignId, 'a')).toBe('texter-inactive');
    const operationId = harness.newId('op');
    const request = { kind: 'reassign', operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' } as const;
    await runToEnd(harness.context.stores, request);
    expect(await harness.loads(campaignId)).toEqual({ b: 2 });
  });
});
