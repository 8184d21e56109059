import { Types } from 'mongoose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UNAPPLIED_MAX } from '../../src/operations/run.ts';
import { Harness } from '../support/harness.ts';
import { oneTurn, toTheEnd } from '../support/perform.ts';
import { rawBatches, rawOperation } from '../support/raw.ts';

const CONVERSATIONS = 2 * UNAPPLIED_MAX + 4;
const HOW = { batchConversationsMax: 1, batchesInFlightMax: 2, short: false } as const;

describe('a batch that cannot be applied', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  it('is never passed over, however many turns the operation is given', async () => {
    const campaignId = await harness.seedCampaign(2);
    const seeded = Array.from({ length: CONVERSATIONS }, (_, at) => ({ waitedMs: (CONVERSATIONS - at) * 1_000 }));
    const ids = await harness.seedConversations(campaignId, seeded);
    const { conversations } = harness.context.database;
    const damaged = { _id: new Types.ObjectId(ids[3]) };
    await conversations.updateOne(damaged, { $set: { history: 'no list' as never } });
    const operationId = harness.newId('op');
    const request = { kind: 'reassign', operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' } as const;
    const { stores } = harness.context;
    for (let turn = 0; turn < CONVERSATIONS; turn += 1) {
      await expect(oneTurn(stores, request, HOW), `turn ${turn}`).rejects.toThrow();
    }
    const unapplied = (await rawBatches(harness, operationId)).filter(({ state }) => state === 'planned');
    expect(unapplied.map(({ number }) => number)).toEqual([4]);
    await conversations.updateOne(damaged, { $set: { history: [] } });
    await toTheEnd(stores, request, HOW);
    expect(await rawOperation(harness, operationId)).toMatchObject({
      state: 'done',
      receipt: { moved: CONVERSATIONS, selected: CONVERSATIONS },
    });
  });
});
