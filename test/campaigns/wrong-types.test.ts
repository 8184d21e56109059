import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { mongo } from 'mongoose';
import {
  addTexter,
  changeRules,
  createCampaign,
  SELF_ASSIGN_DEFAULT,
  setActive,
  setClosed,
} from '../../src/campaigns/index.ts';
import { serveClaims } from '../../src/claims/index.ts';
import { importContacts, sourceOf } from '../../src/contacts/index.ts';
import { Harness } from '../support/harness.ts';
import { runToEnd } from '../support/run-operation.ts';

describe('campaigns and texters with values of the wrong type', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  const VALUES: readonly unknown[] = [null, 'x', 5, -1, NaN, true, {}, [], new Date(NaN)];
  const CAMPAIGN_FIELDS = [
    'name',
    'closed',
    'country',
    'selfAssign',
    'operationCount',
    'waitingCount',
    'texterCount',
    'createdAt',
  ];
  const TEXTER_FIELDS = ['name', 'joinedOrder', 'fence', 'createdAt'];
  const fieldsOf = (fields: readonly string[]): (readonly [string, unknown])[] =>
    fields.flatMap((field) => VALUES.map((value) => [field, value] as const));
  /** `closed: true` and so on are right. */
  const isRight = ([field, value]: readonly [string, unknown]): boolean => field === 'closed' && value === true;

  async function seed(): Promise<string> {
    const campaignId = await harness.seedCampaign(2, { country: 'US' });
    await harness.seedConversations(campaignId, [{}, {}, {}, {}]);
    return campaignId;
  }

  async function claim(campaignId: string): Promise<readonly string[]> {
    const request = {
      kind: 'self-assign',
      operationId: harness.newId('cl'),
      campaignId,
      texterId: 't1',
      count: 9,
    } as const;
    const command = { request: { ...request, waitMs: 60_000 }, requestHash: 'h', sendId: 's' };
    const { answered } = await serveClaims(harness.context.stores.claims, campaignId, [command]);
    return answered[0]?.granted ?? [];
  }

  /** Everything that writes to campaigns and texters, or reads them. */
  async function useAll(campaignId: string): Promise<void> {
    const { context } = harness;
    const operationId = harness.newId('op');
    const to = 'everyone';
    const ended = await runToEnd(context.stores, {
      kind: 'reassign',
      operationId,
      campaignId,
      from: 'pool',
      to,
      status: 'any',
      count: 2,
    });
    expect(ended?.receipt).toMatchObject({ moved: 2 });
    await changeRules(context, campaignId, { enabled: true });
    expect(await claim(campaignId)).toHaveLength(2);
    await expect(setActive(context, campaignId, 't2', false)).resolves.toMatchObject({ texterId: 't2', active: false });
    await addTexter(context, { campaignId, texterId: 't3', name: 'Third' });
    const source = sourceOf(['name', 'phone', 'assignee'], [['New', '+12025550188', 't1']]);
    expect(await importContacts(context, campaignId, source)).toMatchObject({ added: 1, rejectedCount: 0 });
    await setClosed(context, campaignId, true);
    expect(await context.stores.campaigns.list(1_000)).not.toHaveLength(0);
    const texters = await context.stores.texters.list(campaignId);
    const orders = texters.map(({ joinedOrder }) => joinedOrder);
    expect(orders.every((order, at) => Number.isInteger(order) && order > (orders[at - 1] ?? 0))).toBe(true);
    for (const { name } of texters) expect(typeof name).toBe('string');
  }

  it.each(fieldsOf(CAMPAIGN_FIELDS).filter((each) => !isRight(each)))(
    'let every command go on when the campaign has a %s of %j',
    async (field, value) => {
      const campaignId = await seed();
      await harness.context.database.campaigns.updateOne(
        { _id: campaignId },
        {
          $set: { [field]: value },
        },
      );
      await useAll(campaignId);
    },
  );

  it.each(fieldsOf(TEXTER_FIELDS))('let every command go on when a texter has a %s of %j', async (field, value) => {
    const campaignId = await seed();
    await harness.context.database.texters.updateMany({ campaignId }, { $set: { [field]: value } });
    await useAll(campaignId);
  });

  it('have the default of each rule of another type', async () => {
    const { campaignId } = await createCampaign(harness.context, { campaignId: harness.newId('c'), name: 'Rules' });
    const selfAssign = { enabled: 'yes', batchMax: 2.5, openMax: '9', repliesMax: {} };
    await harness.context.database.campaigns.updateOne({ _id: campaignId }, { $set: { selfAssign } } as mongo.Document);
    const campaign = await harness.context.stores.campaigns.find(campaignId);
    expect(campaign?.selfAssign).toEqual(SELF_ASSIGN_DEFAULT);
  });

  it('leave out a texter whose id is not a text', async () => {
    const campaignId = await seed();
    const texters = [5, '', null].map((texterId) => ({ campaignId, texterId, active: true }));
    await harness.context.database.texters.insertMany(texters as never);
    const listed = await harness.context.stores.texters.list(campaignId);
    expect(listed.map(({ texterId }) => texterId)).toEqual(['t1', 't2']);
  });
});
