import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  addTexter,
  removeCampaign,
  removeTexter,
  removeTexters,
  renameCampaign,
  renameTexter,
  restoreCampaign,
  restoreTexter,
  setActive,
  setClosed,
} from '../../src/campaigns/index.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';
import type { AnyRequest } from '../support/any-request.ts';
import { oneSlice, runToEnd } from '../support/run-operation.ts';

describe('renaming and removing', () => {
  let harness: Harness;
  let cli: Cli;
  beforeAll(async () => {
    harness = await Harness.open();
    cli = new Cli(cliEnv(harness.config));
  });
  afterAll(() => harness.close());

  const reassign = (campaignId: string, to: string): AnyRequest => ({
    ...({ kind: 'reassign', from: 'pool', status: 'any' } as const),
    ...{ operationId: harness.newId('op'), campaignId },
    to: to === 'everyone' ? to : { texterIds: [to] },
  });

  it('removes each of many texters without reading all of the campaign', async () => {
    const campaignId = await harness.seedCampaign(3);
    const read = vi.spyOn(harness.context.stores.texters, 'list');
    const removed = await removeTexters(harness.context, campaignId, ['t1', 'nobody', 't3']);
    expect(removed).toMatchObject([
      { texter: { active: false } },
      { refusal: { code: 'unknown-texter' } },
      { texter: {} },
    ]);
    expect(read).not.toHaveBeenCalled();
    read.mockRestore();
  });

  it('gives a texter and a campaign another name, which old receipts show', async () => {
    const campaignId = await harness.seedCampaign(2);
    await harness.seedConversations(campaignId, [{}, {}]);
    const request = reassign(campaignId, 't1');
    await runToEnd(harness.context.stores, request);
    expect(await renameTexter(harness.context, campaignId, 't1', ' Rebecca ')).toMatchObject({ name: 'Rebecca' });
    expect(await renameCampaign(harness.context, campaignId, 'Rally')).toMatchObject({ name: 'Rally' });
    expect((await cli.run(['operation', request.operationId])).out).toContain('Moved 2 from the pool to Rebecca.');
    await expect(renameTexter(harness.context, campaignId, 't1', 'pool')).rejects.toMatchObject({
      code: 'bad-request',
    });
    await expect(renameTexter(harness.context, campaignId, 'tx', 'X')).rejects.toMatchObject({
      code: 'unknown-texter',
    });
  });

  it('refuses to remove a texter who has conversations, and changes nothing', async () => {
    const campaignId = await harness.seedCampaign(2);
    await harness.seedConversations(campaignId, [{ assigneeId: 't1', status: 'closed' }]);
    await expect(removeTexter(harness.context, campaignId, 't1')).rejects.toMatchObject({
      code: 'texter-has-conversations',
    });
    expect(await harness.context.stores.texters.list(campaignId)).toMatchObject([
      { texterId: 't1', active: true },
      { texterId: 't2', active: true },
    ]);
    const { message } = await cli.refusal(['texter', 'remove', campaignId, 't1']);
    expect(message).toContain('`baton unassign`');
  });

  it('resumes a texter who gets a conversation while the removal pauses them', async () => {
    const campaignId = await harness.seedCampaign(1);
    const { stores, clock, changes } = harness.context;
    const texters = Object.assign(Object.create(stores.texters) as typeof stores.texters, {
      setActive: async (...args: Parameters<typeof stores.texters.setActive>) => {
        if (!args[2]) await harness.seedConversations(campaignId, [{ assigneeId: 't1' }]);
        return stores.texters.setActive(...args);
      },
    });
    await expect(
      removeTexter({ stores: { ...stores, texters }, clock, changes }, campaignId, 't1'),
    ).rejects.toMatchObject({
      code: 'texter-has-conversations',
    });
    expect(await stores.texters.list(campaignId)).toMatchObject([{ texterId: 't1', active: true }]);
  });

  it('makes a removed texter unknown to commands and operations, and keeps the name in receipts', async () => {
    const campaignId = await harness.seedCampaign(2);
    const { context } = harness;
    await harness.seedConversations(campaignId, [{}, {}]);
    const request = reassign(campaignId, 't1');
    await runToEnd(context.stores, request);
    const back = { kind: 'unassign', from: { texterIds: ['t1'] }, confirm: 2, status: 'any' } as const;
    await runToEnd(context.stores, { ...back, operationId: harness.newId('op'), campaignId });
    await removeTexter(context, campaignId, 't1');
    expect(await context.stores.texters.list(campaignId)).toMatchObject([{ texterId: 't2' }]);
    expect((await cli.run(['operation', request.operationId])).out).toContain('from the pool to Texter 1.');
    expect((await cli.refusal(['reassign', campaignId, '--from', 'pool', '--to', 't1', '--status', 'any'])).code).toBe(
      'unknown-texter',
    );
    await expect(runToEnd(context.stores, reassign(campaignId, 't1'))).resolves.toMatchObject({
      error: { code: 'unknown-texter' },
    });
    const dealt = await runToEnd(context.stores, reassign(campaignId, 'everyone'));
    expect(dealt?.receipt?.byTarget).toEqual([{ assigneeId: 't2', count: 2 }]);
    await expect(setActive(context, campaignId, 't1', true)).rejects.toMatchObject({ code: 'unknown-texter' });
    await expect(addTexter(context, { campaignId, texterId: 't1', name: 'Other' })).rejects.toMatchObject({
      code: 'texter-exists',
    });
    expect(await cli.json(['texter', 'restore', campaignId, 'Texter 1'])).toMatchObject({ active: false });
    expect(await context.stores.texters.list(campaignId)).toMatchObject([{ texterId: 't1' }, { texterId: 't2' }]);
    await expect(restoreTexter(context, campaignId, 't1')).rejects.toMatchObject({ code: 'unknown-texter' });
  });

  it('removes only a closed campaign whose operations have ended, and brings it back', async () => {
    const campaignId = await harness.seedCampaign(2);
    const { context } = harness;
    await harness.seedConversations(
      campaignId,
      Array.from({ length: 20 }, () => ({})),
    );
    await expect(removeCampaign(context, campaignId)).rejects.toMatchObject({ code: 'campaign-open' });
    const request = reassign(campaignId, 'everyone');
    await oneSlice(context.stores, request);
    await setClosed(context, campaignId, true);
    await expect(removeCampaign(context, campaignId)).rejects.toMatchObject({ code: 'operation-running' });
    await runToEnd(context.stores, request);
    await removeCampaign(context, campaignId);
    await expect(removeCampaign(context, campaignId)).rejects.toMatchObject({ code: 'unknown-campaign' });
    expect((await cli.refusal(['senders', campaignId])).code).toBe('unknown-campaign');
    expect(JSON.stringify(await cli.json(['campaign', 'list']))).not.toContain(campaignId);
    await expect(setClosed(context, campaignId, false)).rejects.toMatchObject({ code: 'unknown-campaign' });
    const unassign = { kind: 'unassign', from: 'everyone', confirm: 99, status: 'any' } as const;
    await expect(
      runToEnd(context.stores, { ...unassign, operationId: harness.newId('op'), campaignId }),
    ).resolves.toMatchObject({ state: 'failed', error: { code: 'unknown-campaign' } });
    expect(await restoreCampaign(context, campaignId)).toMatchObject({ campaignId, closed: true });
    expect(Object.values(await harness.loads(campaignId)).reduce((sum, count) => sum + count)).toBe(20);
    await expect(restoreCampaign(context, campaignId)).rejects.toMatchObject({ code: 'unknown-campaign' });
  });
});
