import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { objectIds } from '../../src/mongo/documents.ts';
import { Harness, type Seeded } from '../support/harness.ts';
import { inParts, intercepted } from '../support/intercepted-stores.ts';
import { idsOf, rawBatches } from '../support/raw.ts';
import { runToEnd } from '../support/run-operation.ts';

describe('an operation beside a writer that is always faster', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  async function seed(count: number, assigneeId: string | null): Promise<{ campaignId: string; operationId: string }> {
    const campaignId = await harness.seedCampaign(2);
    await harness.seedConversations(
      campaignId,
      Array.from({ length: count }, (_, at) => ({ assigneeId, waitedMs: count - at })),
    );
    return { campaignId, operationId: harness.newId('op') };
  }

  it('replaces what it lost as often as it takes, while conversations are left', async () => {
    const { campaignId, operationId } = await seed(40, null);
    const { database, stores } = harness.context;
    let lost = 0;
    const disturbed = intercepted(inParts(stores), async (_number, name, call) => {
      if (name === 'batches.apply' && lost < 15) {
        lost += 1;
        const planned = idsOf((await rawBatches(harness, operationId)).flatMap(({ moves }) => moves)).at(-1) ?? '';
        await database.conversations.updateOne({ _id: { $in: objectIds([planned]) } }, { $set: { assigneeId: 't2' } });
      }
      return call();
    });
    const request = { kind: 'reassign', operationId, campaignId, from: 'pool', status: 'any', count: 1 } as const;
    const ended = await runToEnd(disturbed, { ...request, to: { texterIds: ['t1'] } }, { short: false });
    expect(ended?.receipt).toMatchObject({ selected: 16, moved: 1, shortBecause: null });
  });

  it('finds a conversation that moved to a source which had none when many sources were counted', async () => {
    const texters = Array.from({ length: 103 }, (_, at) => `t${at + 1}`);
    const campaignId = await harness.seedCampaign(texters.length);
    // So many of others come first that the sources with conversations are read one by one.
    const others: Seeded[] = Array.from({ length: 8_000 }, () => ({ assigneeId: 't103', waitedMs: 9_000 }));
    const [id = ''] = (await harness.seedConversations(campaignId, [...others, { assigneeId: 't1' }])).slice(-1);
    const { stores } = harness.context;
    let hasMoved = false;
    const disturbed = intercepted(stores, async (_number, name, call) => {
      const found = await call();
      if (name !== 'conversations.countByAssignee' || hasMoved) return found;
      hasMoved = true;
      const one = { kind: 'reassign-one', operationId: harness.newId('op'), campaignId, conversationId: id } as const;
      await runToEnd(stores, { ...one, to: { texterIds: ['t2'] } });
      return found;
    });
    const from = { texterIds: texters.slice(0, 101) as [string, ...string[]] };
    const request = { kind: 'reassign', operationId: harness.newId('op'), campaignId, from } as const;
    const ended = await runToEnd(
      disturbed,
      { ...request, to: { texterIds: ['t102'] }, status: 'not-started' },
      { short: false },
    );
    expect(hasMoved).toBe(true);
    expect(ended?.receipt).toMatchObject({ moved: 1, left: null });
  });

  it('does not report conversations as left that it has moved and that came back since', async () => {
    const { campaignId, operationId } = await seed(10, 't1');
    const { database, stores } = harness.context;
    const disturbed = intercepted(stores, async (_number, name, call) => {
      if (name === 'batches.insertEndMarker') {
        await database.conversations.updateOne({ campaignId, assigneeId: null }, { $set: { assigneeId: 't1' } });
      }
      return call();
    });
    const request = {
      kind: 'unassign',
      operationId,
      campaignId,
      from: 'everyone',
      status: 'any',
      confirm: 10,
    } as const;
    const ended = await runToEnd(disturbed, request, { short: false });
    expect(ended?.receipt).toMatchObject({ moved: 10, left: null });
    expect(await harness.loads(campaignId)).toEqual({ t1: 1, pool: 9 });
  });
});
