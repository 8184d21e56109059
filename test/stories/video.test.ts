import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness } from '../support/harness.ts';

/** The help video shows this workflow on which Baton is modelled. */
describe('the workflow of the help video', () => {
  let harness: Harness;
  let campaignId: string;
  let chris: string;
  const kevin = 't1';
  const rebecca = 't2';

  beforeAll(async () => {
    harness = await Harness.open();
    await harness.startWorker();
    campaignId = await harness.seedCampaign(2);
    const ids = await harness.seedConversations(campaignId, [
      { status: 'needs-reply', waitedMs: 50_000 },
      { status: 'needs-reply', waitedMs: 40_000, name: 'Chris' },
      { status: 'not-started', waitedMs: 30_000 },
      { status: 'not-started', waitedMs: 20_000 },
      { status: 'in-progress', waitedMs: 10_000 },
      { status: 'closed' },
    ]);
    chris = ids[1] ?? '';
  });
  afterAll(() => harness.close());

  it('reassigns all conversations of the pool to everyone, 3 to each of two texters', async () => {
    const operationId = harness.newId('op');
    const sent = await harness.producer.reassign({
      operationId,
      campaignId,
      from: 'pool',
      to: 'everyone',
      status: 'any',
    });
    const result = await sent.result();
    expect(result).toMatchObject({ operationId, outcome: 'created', state: 'done' });
    expect(result.receipt).toMatchObject({ selected: 6, moved: 6, skipped: [] });
    expect(await harness.loads(campaignId)).toEqual({ t1: 3, t2: 3 });
  });

  it('reassigns one not-started conversation from Kevin to Rebecca, which leaves 2 and 4', async () => {
    const from = { texterIds: [kevin] };
    const to = { texterIds: [rebecca] };
    const request = {
      operationId: harness.newId('op'),
      campaignId,
      from,
      to,
      status: 'not-started',
      count: 1,
    } as const;
    const result = await (await harness.producer.reassign(request)).result();
    expect(result.receipt).toMatchObject({ moved: 1, asked: 1, shortBecause: null });
    expect(await harness.loads(campaignId)).toEqual({ t1: 2, t2: 4 });
  });

  it('reassigns the conversation with Chris from Rebecca to Kevin, which leaves 3 and 3', async () => {
    const to = { texterIds: [kevin] as [string] };
    const request = {
      operationId: harness.newId('op'),
      campaignId,
      conversationId: chris,
      expectedAssigneeId: rebecca,
      to,
    };
    const result = await (await harness.producer.reassignOne(request)).result();
    expect(result.receipt).toMatchObject({ moved: 1 });
    expect(await harness.loads(campaignId)).toEqual({ t1: 3, t2: 3 });
  });

  it('unassigns all conversations of Rebecca with a confirmation, which leaves 3 in the pool', async () => {
    const request = { campaignId, from: { texterIds: [rebecca] }, status: 'any' } as const;
    const preview = await harness.producer.preview({ ...request, kind: 'unassign', operationId: harness.newId('op') });
    expect(preview).toMatchObject({ selected: 3, moved: 3 });
    const unconfirmed = await harness.producer.unassign({ ...request, operationId: harness.newId('op') });
    await expect(unconfirmed.result()).rejects.toMatchObject({ code: 'confirmation-needed' });
    const confirmed = await harness.producer.unassign({
      ...request,
      operationId: harness.newId('op'),
      confirm: preview.moved,
    });
    expect((await confirmed.result()).receipt).toMatchObject({ moved: 3 });
    expect(await harness.loads(campaignId)).toEqual({ t1: 3, pool: 3 });
  });
});
