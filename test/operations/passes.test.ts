import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { objectIds } from '../../src/mongo/documents.ts';
import { Harness } from '../support/harness.ts';
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
