import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addTexter } from '../../src/campaigns/index.ts';
import { Harness } from '../support/harness.ts';

describe('a request that is sent again under its operation id', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
    await harness.startWorker();
  });
  afterAll(() => harness.close());

  async function seed(texters: number, assigned: number): Promise<string> {
    const campaignId = await harness.seedCampaign(texters);
    const all = Array.from({ length: assigned }, () => ({ assigneeId: 't1' }));
    await harness.seedConversations(campaignId, all);
    return campaignId;
  }

  it('is the same request with its targets in another order, one of them twice, another actor and a reason', async () => {
    const campaignId = await seed(4, 6);
    const request = {
      operationId: harness.newId('op'),
      campaignId,
      from: { texterIds: ['t1'] },
      status: 'any',
    } as const;
    const first = await harness.producer.reassign({ ...request, to: { texterIds: ['t2', 't3'] } });
    const { receipt } = await first.result();
    const again = await harness.producer.reassign({
      ...request,
      to: { texterIds: ['t3', 't2', 't3'] },
      actorId: 'admin',
      reason: 'retried',
    });
    expect(await again.result()).toMatchObject({ outcome: 'exists', receipt });
    const other = harness.producer.reassign({ ...request, to: { texterIds: ['t2', 't4'] } });
    await expect(other).rejects.toMatchObject({ code: 'operation-conflict' });
  });

  it('runs with the new number when its confirmation had drifted', async () => {
    const campaignId = await seed(1, 5);
    const request = {
      operationId: harness.newId('op'),
      campaignId,
      from: { texterIds: ['t1'] },
      status: 'any',
    } as const;
    const send = async (confirm: number) => (await harness.producer.unassign({ ...request, confirm })).result();
    await expect(send(3)).rejects.toMatchObject({ code: 'confirmation-drifted' });
    await expect(send(3)).rejects.toMatchObject({ code: 'confirmation-drifted' });
    expect(await send(5)).toMatchObject({ outcome: 'created', state: 'done', receipt: { moved: 5 } });
    expect(await send(4)).toMatchObject({ outcome: 'exists', receipt: { moved: 5 } });
    expect(await harness.loads(campaignId)).toEqual({ pool: 5 });
  });

  it('is a run of its own: a worker that still ends the refused run changes nothing', async () => {
    const campaignId = await seed(1, 5);
    const { stores } = harness.context;
    const request = {
      operationId: harness.newId('op'),
      campaignId,
      from: { texterIds: ['t1'] },
      status: 'any',
    } as const;
    await expect((await harness.producer.unassign({ ...request, confirm: 3 })).result()).rejects.toMatchObject({
      code: 'confirmation-drifted',
    });
    const refused = await stores.operations.find(request.operationId);
    const confirmed = await (await harness.producer.unassign({ ...request, confirm: 5 })).result();
    expect(confirmed.receipt.moved).toBe(5);
    if (!refused?.error) throw new Error('the operation was not refused');
    await stores.operations.recordError(refused, refused.error);
    await stores.batches.stop(refused);
    expect(await stores.operations.isStopped(refused)).toBe(true);
    expect(await stores.operations.find(request.operationId)).toMatchObject({ state: 'done', error: null });
  });

  it.each(['auth0|1', '-Nabc', '_x', 'a:b', 'a.b'])('may have the id %s everywhere', async (id) => {
    const campaignId = await harness.seedCampaign(0, {
      campaignId: `${id}-${harness.newId('c')}`,
      selfAssign: { enabled: true },
    });
    await addTexter(harness.context, { campaignId, texterId: id, name: 'Kevin' });
    await harness.seedConversations(campaignId, [{}, {}, {}]);
    const operationId = `${id}:${harness.newId('op')}`;
    const request = { campaignId, from: 'pool', to: { texterIds: [id] }, status: 'any', count: 2 } as const;
    const sent = await harness.producer.reassign({ ...request, operationId });
    // One id is the beginning of the other.
    const longer = await harness.producer.reassign({ ...request, operationId: `${operationId}:1`, count: 1 });
    expect((await sent.result()).receipt.moved).toBe(2);
    expect((await longer.result()).receipt.moved).toBe(1);
    const undo = await harness.producer.undo({ operationId: `${operationId}:undo`, campaignId, undoes: operationId });
    expect((await undo.result()).receipt.moved).toBe(2);
    const claim = { operationId: `${id}:${harness.newId('cl')}`, campaignId, texterId: id, count: 1 };
    expect((await (await harness.producer.selfAssign(claim)).result()).receipt.moved).toBe(1);
    expect(await harness.loads(campaignId)).toEqual({ [id]: 2, pool: 1 });
  });
});
