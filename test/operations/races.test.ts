import { Types } from 'mongoose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Stores } from '../../src/operations/ports.ts';
import { UNAPPLIED_MAX } from '../../src/domain/in-flight.ts';
import type { BatchStore } from '../../src/operations/ports.ts';
import { Harness, type Seeded } from '../support/harness.ts';
import { intercepted } from '../support/intercepted-stores.ts';
import { oneSlice, runToEnd } from '../support/run-operation.ts';
import { idsOf, rawBatches, rawConversations, rawOperation } from '../support/raw.ts';
import type { AnyRequest } from '../support/any-request.ts';

const pool = (count: number): Seeded[] =>
  Array.from({ length: count }, (_, at) => ({ waitedMs: (count - at) * 1_000 }));

describe('a change between two steps of an operation', () => {
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

  it('moves and counts a conversation once when its status changes while a batch is being read', async () => {
    const campaignId = await harness.seedCampaign(2);
    const assigned = Array.from({ length: 6 }, (_, at) => ({ assigneeId: 't1', optedOut: at === 3 }));
    const ids = await harness.seedConversations(campaignId, assigned);
    let pages = 0;
    // The not-started conversations have been read by then. Now their texter sends two initial messages.
    const sending = intercepted(stores, async (_number, name, call) => {
      if (name === 'conversations.readPage' && (pages += 1) === 3) {
        await harness.context.database.conversations.updateMany(
          { _id: { $in: ids.slice(2, 4).map((id) => new Types.ObjectId(id)) } },
          { $set: { status: 'awaiting-contact', waitingSince: new Date() } },
        );
      }
      return call();
    });
    const request = deal(campaignId, { from: { texterIds: ['t1'] }, to: { texterIds: ['t2'] } });
    const ended = await runToEnd(sending, request, { batchConversationsMax: 100, short: false });
    expect(pages).toBeGreaterThan(3);
    expect(ended?.receipt).toMatchObject({ selected: 6, moved: 5, skipped: [{ reason: 'opted-out', count: 1 }] });
    expect(await harness.loads(campaignId)).toEqual({ t1: 1, t2: 5 });
  });

  it('deals what was planned for a texter who is paused to the others', async () => {
    const campaignId = await harness.seedCampaign(3);
    await harness.seedConversations(campaignId, pool(60));
    const request = deal(campaignId);
    await oneSlice(stores, request);
    await harness.pause(campaignId, 't1');
    const ended = await runToEnd(stores, request);
    expect(ended?.receipt).toMatchObject({ selected: 60, moved: 60, skipped: [] });
    const { t2 = 0, t3 = 0 } = await harness.loads(campaignId);
    expect(Math.abs(t2 - t3)).toBeLessThanOrEqual(1);
  });

  it.each(['opted-out', 'already-there'] as const)(
    'counts a conversation once that was skipped as %s and then changes its status',
    async (reason) => {
      const campaignId = await harness.seedCampaign(2);
      const ids = await harness.seedConversations(campaignId, [
        { status: 'needs-reply', assigneeId: null, optedOut: reason === 'opted-out' },
        ...Array.from({ length: 12 }, () => ({ status: 'in-progress', assigneeId: null }) as const),
      ]);
      const request = deal(campaignId, { from: 'everyone' });
      const { conversations } = harness.context.database;
      const first = { _id: new Types.ObjectId(ids[0]) };
      let isFirst = true;
      const disturbed = intercepted(stores, async (_number, name, call) => {
        if (name === 'batches.apply' && isFirst) {
          isFirst = false;
          if (reason === 'already-there') await conversations.updateOne(first, { $set: { assigneeId: 't1' } });
        }
        return call();
      });
      await oneSlice(disturbed, request);
      await conversations.updateOne(first, { $set: { status: 'closed' } });
      const ended = await runToEnd(stores, request);
      expect(ended?.receipt?.selected).toBe(13);
      expect(ended?.receipt?.skipped.find((skip) => skip.reason === reason)?.count).toBeGreaterThan(0);
      const batches = await rawBatches(harness, request.operationId);
      const all = batches.flatMap(({ moves, skips }) => [...idsOf(moves), ...idsOf(skips)]);
      expect(new Set(all).size).toBe(all.length);
    },
  );

  it('gives the rest to the last active target when all others are paused', async () => {
    const campaignId = await harness.seedCampaign(3);
    await harness.seedConversations(campaignId, pool(60));
    const request = deal(campaignId, { count: 40 });
    await oneSlice(stores, request);
    await harness.pause(campaignId, 't1');
    await harness.pause(campaignId, 't2');
    const ended = await runToEnd(stores, request);
    expect(ended?.receipt).toMatchObject({ moved: 40, shortBecause: null });
  });

  it('halts with targets-lost when the only target is paused after everything is planned', async () => {
    const campaignId = await harness.seedCampaign(2);
    await harness.seedConversations(campaignId, pool(4));
    const pausing = intercepted(stores, async (_number, name, call) => {
      if (name === 'operations.endAtOnce') await harness.pause(campaignId, 't1');
      return call();
    });
    const request = deal(campaignId, { to: { texterIds: ['t1'] } });
    const ended = await runToEnd(pausing, request, { batchConversationsMax: 10, short: false });
    const error = { code: 'targets-lost' };
    expect(ended).toMatchObject({ state: 'failed', error, receipt: { selected: 0, moved: 0, skipped: [] } });
  });

  it('applies the batches that a dead worker left, also with fewer batches in flight', async () => {
    const campaignId = await harness.seedCampaign(2);
    const ids = await harness.seedConversations(campaignId, pool(60));
    const request = deal(campaignId);
    const dying = intercepted(stores, (_number, name, call) =>
      name === 'batches.apply' ? Promise.reject(new Error('the power went out')) : call(),
    );
    await expect(runToEnd(dying, request, { batchesInFlightMax: 8, short: false })).rejects.toThrow(
      'the power went out',
    );
    const ended = await runToEnd(stores, request, { batchesInFlightMax: 1 });
    expect(ended?.receipt).toMatchObject({ selected: ids.length, moved: ids.length });
    expect((await rawBatches(harness, request.operationId)).filter(({ state }) => state === 'planned')).toEqual([]);
  });

  it('does not move a conversation twice when a single move takes it away and its status changes', async () => {
    const campaignId = await harness.seedCampaign(3);
    const ids = await harness.seedConversations(campaignId, [
      { status: 'needs-reply', assigneeId: 't1' },
      ...Array.from({ length: 8 }, () => ({ status: 'in-progress', assigneeId: 't1' }) as const),
    ]);
    const conversationId = ids[0] ?? '';
    const request = deal(campaignId, { from: 'everyone', to: { texterIds: ['t2', 't3'] } });
    await oneSlice(stores, request);
    const one = { kind: 'reassign-one', operationId: harness.newId('op'), campaignId, conversationId } as const;
    await runToEnd(stores, { ...one, to: { texterIds: ['t1'] } });
    const [doc] = (await rawConversations(harness, campaignId)).values();
    await harness.context.database.conversations.updateOne({ _id: doc!._id }, { $set: { status: 'closed' } });
    await runToEnd(stores, request);
    const history = (await rawConversations(harness, campaignId)).get(conversationId)?.history ?? [];
    expect(history.filter(({ operationId }) => operationId === request.operationId)).toHaveLength(1);
  });
});

/** Returns the store with some methods replaced. */
function replacing<Store extends object>(store: Store, methods: Partial<Store>): Store {
  return new Proxy(store, {
    get: (target, key): unknown => {
      const member: unknown = Reflect.get(Object.hasOwn(methods, key) ? methods : target, key);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}

const CONVERSATIONS = 2 * UNAPPLIED_MAX + 4;
const HOW = { batchConversationsMax: 1, batchesInFlightMax: 2, short: false } as const;

describe('a batch that cannot be applied', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  it('stops planning until it can be applied, however many slices the operation gets', async () => {
    const campaignId = await harness.seedCampaign(2);
    const seeded = Array.from({ length: CONVERSATIONS }, (_, at) => ({ waitedMs: (CONVERSATIONS - at) * 1_000 }));
    await harness.seedConversations(campaignId, seeded);
    const operationId = harness.newId('op');
    const request = { kind: 'reassign', operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' } as const;
    const { stores } = harness.context;
    const apply: BatchStore['apply'] = (batch, ...more) =>
      batch.number === 4
        ? Promise.reject(new Error('this batch cannot be applied'))
        : stores.batches.apply(batch, ...more);
    const failing = { ...stores, batches: replacing(stores.batches, { apply }) };
    for (let slice = 0; slice < CONVERSATIONS; slice += 1) {
      await expect(oneSlice(failing, request, HOW), `slice ${slice}`).rejects.toThrow('this batch cannot be applied');
    }
    const unapplied = (await rawBatches(harness, operationId)).filter(({ state }) => state === 'planned');
    expect(unapplied.map(({ number }) => number)).toEqual([4]);
    await runToEnd(stores, request, HOW);
    expect(await rawOperation(harness, operationId)).toMatchObject({
      state: 'done',
      receipt: { moved: CONVERSATIONS, selected: CONVERSATIONS },
    });
  });
});
