import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SELF_ASSIGN_DEFAULT } from '../../src/campaigns/campaign.ts';
import { addTexter, addTexters, changeRules, createCampaign, setActive, setClosed } from '../../src/campaigns/index.ts';
import type { Context } from '../../src/context.ts';
import { Harness } from '../support/harness.ts';

let harness: Harness;
let context: Context;
beforeAll(async () => {
  harness = await Harness.open();
  context = harness.context;
});
afterAll(() => harness.close());

async function newCampaign(name = 'Rally'): Promise<string> {
  const campaignId = harness.newId('c');
  await createCampaign(context, { campaignId, name });
  return campaignId;
}

describe('a campaign', () => {
  const find = (campaignId: string) => context.stores.campaigns.find(campaignId);

  it('is created open, without texters and with the default rules', async () => {
    const campaignId = harness.newId('c');
    const created = await createCampaign(context, { campaignId, name: ' Rally ', selfAssign: { batchMax: 7 } });
    expect(created).toEqual({
      campaignId,
      name: 'Rally',
      closed: false,
      country: null,
      selfAssign: { ...SELF_ASSIGN_DEFAULT, batchMax: 7 },
      texterCount: 0,
      createdAt: expect.any(Date) as Date,
    });
    expect(await find(campaignId)).toEqual(created);
  });

  it('is refused with campaign-exists when its id is taken, and the existing campaign stays unchanged', async () => {
    const campaignId = await newCampaign();
    const before = await find(campaignId);
    await expect(createCampaign(context, { campaignId, name: 'Another' })).rejects.toMatchObject({
      code: 'campaign-exists',
      message: `campaign "${campaignId}" already exists`,
    });
    expect(await find(campaignId)).toEqual(before);
  });

  it('is found by its exact name together with the others of the same name', async () => {
    const ids = [await newCampaign('Twins'), await newCampaign('Twins'), await newCampaign('Twin')];
    const found = await context.stores.campaigns.findByName('Twins', 10);
    expect(found.map(({ campaignId }) => campaignId).sort()).toEqual(ids.slice(0, 2).sort());
    expect(await context.stores.campaigns.findByName('Twins', 1)).toHaveLength(1);
  });

  it('is listed before the campaigns that were created earlier', async () => {
    const older = await newCampaign();
    await new Promise((resolve) => setTimeout(resolve, 2));
    const newer = await newCampaign();
    const listed = await context.stores.campaigns.list(2);
    expect(listed.map(({ campaignId }) => campaignId)).toEqual([newer, older]);
  });

  it('is closed and opened again', async () => {
    const campaignId = await newCampaign();
    for (const closed of [true, true, false]) {
      expect(await setClosed(context, campaignId, closed)).toMatchObject({ campaignId, closed });
      expect(await find(campaignId)).toMatchObject({ closed });
    }
  });

  it('keeps the rules that a change does not name', async () => {
    const campaignId = await newCampaign();
    await changeRules(context, campaignId, { enabled: true, repliesMax: 5 });
    const changed = await changeRules(context, campaignId, { repliesMax: null, openMax: 9 });
    expect(changed.selfAssign).toEqual({ ...SELF_ASSIGN_DEFAULT, enabled: true, openMax: 9 });
    expect(await find(campaignId)).toEqual(changed);
  });

  it('rejects a rule that its schema does not allow', async () => {
    const campaignId = await newCampaign();
    const before = await find(campaignId);
    await expect(changeRules(context, campaignId, { batchMax: 0 })).rejects.toThrow();
    expect(await find(campaignId)).toEqual(before);
  });

  it('is refused with unknown-campaign when it does not exist', async () => {
    const unknown = expect.objectContaining({ code: 'unknown-campaign', received: '"nowhere"' }) as Error;
    await expect(setClosed(context, 'nowhere', true)).rejects.toThrow(unknown);
    await expect(changeRules(context, 'nowhere', { enabled: true })).rejects.toThrow(unknown);
    const texter = { campaignId: 'nowhere', texterId: 't1', name: 'Ann' };
    await expect(addTexter(context, texter)).rejects.toThrow(unknown);
  });
});

describe('a texter', () => {
  const add = (campaignId: string, texterId: string) => addTexter(context, { campaignId, texterId, name: 'Ann' });

  it('joins a campaign last', async () => {
    const campaignId = await newCampaign();
    expect(await add(campaignId, 'b')).toEqual({ texterId: 'b', name: 'Ann', active: true, joinedOrder: 1 });
    expect(await add(campaignId, 'a')).toMatchObject({ joinedOrder: 2 });
    const listed = await context.stores.texters.list(campaignId);
    expect(listed.map(({ texterId }) => texterId)).toEqual(['b', 'a']);
    expect(await context.stores.campaigns.find(campaignId)).toMatchObject({ texterCount: 2 });
  });

  it('is refused with texter-exists when the id is taken on the campaign, and takes no place', async () => {
    const [campaignId, other] = [await newCampaign(), await newCampaign()];
    await add(campaignId, 'a');
    await expect(add(campaignId, 'a')).rejects.toMatchObject({
      code: 'texter-exists',
      message: 'texter "a" is already on the campaign',
    });
    expect(await add(campaignId, 'b')).toMatchObject({ joinedOrder: 2 });
    expect(await add(other, 'a')).toMatchObject({ joinedOrder: 1 });
  });

  it('gets a place of its own when many join at the same time', async () => {
    const campaignId = await newCampaign();
    const joined = await Promise.all(Array.from({ length: 8 }, (_, index) => add(campaignId, `t${index}`)));
    expect(joined.map(({ joinedOrder }) => joinedOrder).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('is paused and resumed', async () => {
    const campaignId = await newCampaign();
    await add(campaignId, 'a');
    for (const active of [false, false, true]) {
      const expected = { texterId: 'a', name: 'Ann', active, joinedOrder: 1 };
      expect(await setActive(context, campaignId, 'a', active)).toEqual(expected);
      expect(await context.stores.texters.list(campaignId)).toEqual([expected]);
    }
    await expect(setActive(context, campaignId, 'nobody', true)).rejects.toMatchObject({ code: 'unknown-texter' });
  });
});

describe('a list of texters', () => {
  it('is added without those that have a bad name, in its order', async () => {
    const campaignId = await newCampaign();
    const names = { t1: 'Kevin', t2: ' ', t3: 'pool', t4: 'Alma' };
    const list = Object.entries(names).map(([texterId, name]) => ({ texterId, name }));
    const refusal = { code: 'bad-request' };
    expect(await addTexters(context, campaignId, list)).toMatchObject([
      { texterId: 't1', texter: { joinedOrder: 1 } },
      { texterId: 't2', refusal },
      { texterId: 't3', refusal },
      { texterId: 't4', texter: { name: 'Alma', joinedOrder: 2 } },
    ]);
  });
});
