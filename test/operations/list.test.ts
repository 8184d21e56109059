import { Types } from 'mongoose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setActive } from '../../src/campaigns/index.ts';
import { parseRequest } from '../../src/operations/contract.ts';
import { preview } from '../../src/operations/preview.ts';
import { Harness, type Seeded } from '../support/harness.ts';
import { callsOf, dieAfter, ProcessDied } from '../support/intercepted-stores.ts';
import { cancelWithoutQueue, oneSlice, record, runToEnd } from '../support/run-operation.ts';
import type { AnyRequest } from '../support/any-request.ts';

type ReassignList = Extract<AnyRequest, { kind: 'reassign-list' }>;

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.open();
});
afterAll(() => harness.close());

const of = (count: number, more: Seeded = {}): Seeded[] => Array.from({ length: count }, () => more);
const listed = (ids: readonly string[]) => ids.map((conversationId) => ({ conversationId }));

async function campaignWith(seeded: readonly Seeded[]): Promise<{ campaignId: string; ids: string[] }> {
  const campaignId = await harness.seedCampaign(2);
  return { campaignId, ids: await harness.seedConversations(campaignId, seeded) };
}

const reassignList = (campaignId: string, conversations: ReassignList['conversations']): ReassignList => ({
  kind: 'reassign-list',
  operationId: harness.newId('op'),
  campaignId,
  conversations,
  to: { texterIds: ['t1'] },
});

describe('a list of chosen conversations', () => {
  it('moves to a texter, and the receipt says for each what became of it', async () => {
    const { campaignId, ids } = await campaignWith([
      {},
      { assigneeId: 't2' },
      { assigneeId: 't1' },
      { optedOut: true },
      {},
    ]);
    const unknown = new Types.ObjectId().toHexString();
    const [a = '', b = '', c = '', d = '', e = ''] = ids;
    const request = reassignList(campaignId, [
      { conversationId: e, expectedAssigneeId: 't2' },
      ...listed([a, b, c, d, unknown]),
    ]);
    const ended = await runToEnd(harness.context.stores, request);
    expect(ended).toMatchObject({ state: 'done', receipt: { selected: 6, moved: 2 } });
    expect(ended?.receipt?.results).toEqual([
      { conversationId: e, result: 'assignee-changed' },
      { conversationId: a, result: 'moved' },
      { conversationId: b, result: 'moved' },
      { conversationId: c, result: 'already-there' },
      { conversationId: d, result: 'opted-out' },
      { conversationId: unknown, result: 'gone' },
    ]);
    expect(await harness.loads(campaignId)).toEqual({ t1: 3, pool: 2 });
  });

  it('returns to the pool, with an expected assignee for each', async () => {
    const { campaignId, ids } = await campaignWith([{ assigneeId: 't1' }, { assigneeId: 't2' }, {}]);
    const conversations = ids.map((conversationId) => ({ conversationId, expectedAssigneeId: 't1' }));
    const request = { kind: 'unassign-list', operationId: harness.newId('op'), campaignId, conversations } as const;
    const ended = await runToEnd(harness.context.stores, request);
    expect(ended?.receipt?.results?.map(({ result }) => result)).toEqual([
      'moved',
      'assignee-changed',
      'assignee-changed',
    ]);
    expect(await harness.loads(campaignId)).toEqual({ t2: 1, pool: 2 });
  });

  it('moves after the operation that was accepted before it, so what was sent last holds', async () => {
    const { campaignId, ids } = await campaignWith(of(12));
    const { stores } = harness.context;
    const operationId = harness.newId('op');
    const bulk = {
      kind: 'reassign',
      operationId,
      campaignId,
      from: 'pool',
      to: { texterIds: ['t2'] },
      status: 'any',
    } as const;
    await oneSlice(stores, bulk);
    const list = reassignList(campaignId, listed(ids.slice(-2)));
    expect((await oneSlice(stores, list)).kind).toBe('waiting');
    await runToEnd(stores, bulk);
    expect((await runToEnd(stores, list))?.receipt).toMatchObject({ moved: 2 });
    expect(await harness.loads(campaignId)).toEqual({ t1: 2, t2: 10 });
  });

  it('moves in several transactions, each conversation once, when a worker dies after any step', async () => {
    const { campaignId, ids } = await campaignWith(of(40));
    const calls = await callsOf(harness.context.stores, async (stores) => {
      const tried = reassignList(campaignId, listed(ids.slice(0, 20)));
      await runToEnd(stores, tried, { partMax: 6, batchConversationsMax: 100 });
    });
    for (let step = 1; step <= calls.length; step += 1) {
      const at = await campaignWith(of(20, { assigneeId: 't2' }));
      const request = reassignList(at.campaignId, listed(at.ids));
      const settings = { partMax: 6, batchConversationsMax: 100 };
      await runToEnd(dieAfter(harness.context.stores, step), request, settings).catch((error: unknown) => {
        if (!(error instanceof ProcessDied)) throw error;
      });
      const ended = await runToEnd(harness.context.stores, request, settings);
      expect(ended?.receipt).toMatchObject({ selected: 20, moved: 20 });
      expect(await harness.loads(at.campaignId), `step ${step}`).toEqual({ t1: 20 });
      const docs = await harness.context.database.conversations.find({ campaignId: at.campaignId }).toArray();
      expect(docs.every(({ assignmentVersion }) => assignmentVersion === 1)).toBe(true);
    }
  });

  it('says that conversations were stopped when it is cancelled first', async () => {
    const { campaignId, ids } = await campaignWith(of(2));
    const request = reassignList(campaignId, listed(ids));
    await record(harness.context.stores, request);
    const cancelled = await cancelWithoutQueue(harness.context.stores, request);
    expect(cancelled.receipt).toMatchObject({ moved: 0, left: 2 });
    expect(cancelled.receipt?.results?.map(({ result }) => result)).toEqual(['stopped', 'stopped']);
  });

  it('has a preview that changes nothing', async () => {
    const { campaignId, ids } = await campaignWith([{}, { optedOut: true }]);
    const found = await preview(harness.context.stores, parseRequest(reassignList(campaignId, listed(ids))));
    expect(found).toMatchObject({ selected: 2, moved: 1, skipped: [{ reason: 'opted-out', count: 1 }] });
    expect(await harness.loads(campaignId)).toEqual({ pool: 2 });
  });

  it('never gives a texter anything after a pause was acknowledged', async () => {
    const { campaignId, ids } = await campaignWith(of(60));
    const request = reassignList(campaignId, listed(ids));
    const moving = runToEnd(harness.context.stores, request, { partMax: 5, batchConversationsMax: 100, short: false });
    await setActive(harness.context, campaignId, 't1', false);
    const { t1: atPause = 0 } = await harness.loads(campaignId);
    await moving;
    const { t1: after = 0 } = await harness.loads(campaignId);
    expect(after).toBe(atPause);
  });

  it('is the same request in another order', async () => {
    const { campaignId, ids } = await campaignWith(of(3));
    const request = reassignList(campaignId, listed(ids));
    await runToEnd(harness.context.stores, request);
    const again = { ...request, conversations: listed([...ids].reverse()) };
    expect((await runToEnd(harness.context.stores, again))?.receipt).toMatchObject({ moved: 3 });
  });

  it.each([
    [[], 'conversations must not be empty'],
    [listed(['a'.repeat(24), 'a'.repeat(24)]), 'conversations must not list a conversation twice'],
    [listed(['x']), 'conversations.0.conversationId must'],
    [
      listed(Array.from({ length: 2_001 }, () => new Types.ObjectId().toHexString())),
      'conversations must have at most 2,000 items',
    ],
  ])('is refused when it is wrong (%#)', (conversations, message) => {
    expect(() => parseRequest(reassignList('c', conversations))).toThrow(message);
  });
});
