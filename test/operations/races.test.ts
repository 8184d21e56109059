import { Types } from 'mongoose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Stores } from '../../src/operations/ports.ts';
import { Harness, type Seeded } from '../support/harness.ts';
import { watched } from '../support/interposed.ts';
import { oneTurn, toTheEnd } from '../support/perform.ts';
import { rawBatches, rawConversations } from '../support/raw.ts';
import type { AnyRequest } from '../support/send.ts';

const pool = (count: number): Seeded[] =>
  Array.from({ length: count }, (_, at) => ({ waitedMs: (count - at) * 1_000 }));

describe('what happens between two steps of an operation', () => {
  let harness: Harness;
  let stores: Stores;

  beforeAll(async () => {
    harness = await Harness.open();
    stores = harness.context.stores;
  });
  afterAll(() => harness.close());

  const deal = (campaignId: string, more: Partial<AnyRequest & { kind: 'reassign' }> = {}): AnyRequest => ({
    kind: 'reassign',
    operationId: harness.newId('op'),
    campaignId,
    from: 'pool',
    to: 'everyone',
    status: 'any',
    ...more,
  });

  it('a conversation whose status changes while a batch is being read is moved once, and counted once', async () => {
    const campaignId = await harness.seedCampaign(2);
    const held = Array.from({ length: 6 }, (_, at) => ({ assigneeId: 't1', optedOut: at === 3 }));
    const ids = await harness.seedConversations(campaignId, held);
    let pages = 0;
    // Not-started ones have been read by then; their texter sends two initial messages.
    const sending = watched(stores, async (_number, name, call) => {
      if (name === 'conversations.readPage' && (pages += 1) === 3) {
        await harness.context.database.conversations.updateMany(
          { _id: { $in: ids.slice(2, 4).map((id) => new Types.ObjectId(id)) } },
          { $set: { status: 'awaiting-contact', waitingSince: new Date() } },
        );
      }
      return call();
    });
    const request = deal(campaignId, { from: { texterIds: ['t1'] }, to: { texterIds: ['t2'] } });
    const ended = await toTheEnd(sending, request, { batchConversationsMax: 100, short: false });
    expect(pages).toBeGreaterThan(3);
    expect(ended?.receipt).toMatchObject({ selected: 6, moved: 5, skipped: [{ reason: 'opted-out', count: 1 }] });
    expect(await harness.holdings(campaignId)).toEqual({ t1: 1, t2: 5 });
  });

  it('a texter paused in mid-operation costs no more than what was dealt to them already', async () => {
    const campaignId = await harness.seedCampaign(3);
    await harness.seedConversations(campaignId, pool(60));
    const request = deal(campaignId);
    await oneTurn(stores, request);
    await harness.pause(campaignId, 't1');
    const ended = await toTheEnd(stores, request);
    const skipped = ended?.receipt?.skipped.find(({ reason }) => reason === 'target-inactive')?.count ?? 0;
    // Two batches of 4 may be under way, with at most 2 to each of 3 texters.
    expect(skipped).toBeLessThanOrEqual(4);
    const { t2 = 0, t3 = 0 } = await harness.holdings(campaignId);
    expect(Math.abs(t2 - t3)).toBeLessThanOrEqual(1);
  });

  it('when all targets but one are paused in mid-operation, the last one gets the rest', async () => {
    const campaignId = await harness.seedCampaign(3);
    await harness.seedConversations(campaignId, pool(60));
    const request = deal(campaignId, { count: 40 });
    await oneTurn(stores, request);
    await harness.pause(campaignId, 't1');
    await harness.pause(campaignId, 't2');
    const ended = await toTheEnd(stores, request);
    expect(ended?.receipt).toMatchObject({ moved: 40, shortBecause: null });
  });

  it('a worker that takes fewer batches at a time finishes what one with more has left', async () => {
    const campaignId = await harness.seedCampaign(2);
    const ids = await harness.seedConversations(campaignId, pool(60));
    const request = deal(campaignId);
    const dying = watched(stores, (_number, name, call) =>
      name === 'batches.apply' ? Promise.reject(new Error('the power went out')) : call(),
    );
    await expect(toTheEnd(dying, request, { batchesInFlightMax: 8, short: false })).rejects.toThrow(
      'the power went out',
    );
    const ended = await toTheEnd(stores, request, { batchesInFlightMax: 1 });
    expect(ended?.receipt).toMatchObject({ selected: ids.length, moved: ids.length });
    expect((await rawBatches(harness, request.operationId)).filter(({ state }) => state === 'planned')).toEqual([]);
  });

  it('a conversation that a single move took away and that then changes its status is not moved a second time', async () => {
    const campaignId = await harness.seedCampaign(3);
    const ids = await harness.seedConversations(campaignId, [
      { status: 'needs-reply', assigneeId: 't1' },
      ...Array.from({ length: 8 }, () => ({ status: 'in-progress', assigneeId: 't1' }) as const),
    ]);
    const conversationId = ids[0] ?? '';
    const request = deal(campaignId, { from: 'everyone', to: { texterIds: ['t2', 't3'] } });
    await oneTurn(stores, request);
    const one = { kind: 'reassign-one', operationId: harness.newId('op'), campaignId, conversationId } as const;
    await toTheEnd(stores, { ...one, to: { texterIds: ['t1'] } });
    const [doc] = (await rawConversations(harness, campaignId)).values();
    await harness.context.database.conversations.updateOne({ _id: doc!._id }, { $set: { status: 'closed' } });
    await toTheEnd(stores, request);
    const history = (await rawConversations(harness, campaignId)).get(conversationId)?.history ?? [];
    expect(history.filter(({ operationId }) => operationId === request.operationId)).toHaveLength(1);
  });
});
