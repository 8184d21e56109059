import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { comparePositions, STATUSES, type Candidate, type Status } from '../../src/domain/conversation.ts';
import { Harness, type Seeded } from '../support/harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.open();
});
afterAll(() => harness.close());

describe('the conversation store', () => {
  const COUNT = 60;
  let campaignId: string;
  let inOrder: Candidate[];

  beforeAll(async () => {
    campaignId = await harness.seedCampaign(2);
    // Seven conversations share each moment, so that pages end between conversations with the same moment.
    const seeded = Array.from({ length: COUNT }, (_, index): Seeded => ({ waitedMs: Math.trunc(index / 7) * 1_000 }));
    await harness.seedConversations(campaignId, [...seeded, { assigneeId: 't1' }, { status: 'closed' }]);
    const docs = await harness.context.database.conversations
      .find({ campaignId, assigneeId: null, status: 'not-started' })
      .toArray();
    inOrder = docs
      .map(({ _id, assigneeId, status, waitingSince, optedOut }) => ({
        id: _id.toHexString(),
        assigneeId,
        status,
        waitingSince: waitingSince.getTime(),
        optedOut,
      }))
      .sort(comparePositions);
  });

  const store = () => harness.context.stores.conversations;
  const range = () => ({ campaignId, assigneeId: null, status: 'not-started' }) as const;

  it.each([1, 5, 7, COUNT, COUNT + 1])('reads a range in order, in pages of %i', async (size) => {
    const read: Candidate[] = [];
    let page: Candidate[];
    do {
      page = await store().readPage(range(), read.at(-1) ?? null, size, 'op');
      read.push(...page);
    } while (page.length === size);
    expect(read).toEqual(inOrder);
  });

  it('counts the conversations of a range after each of its positions', async () => {
    for (const [index, position] of inOrder.entries()) {
      expect(await store().countAfter(campaignId, [null], position)).toBe(COUNT - 1 - index);
    }
  });

  it('leaves out the conversations that the operation has moved already', async () => {
    const move = { operationId: 'op', from: 't1', to: null, at: new Date(), by: null };
    const moved = await harness.context.database.conversations.findOneAndUpdate(
      { campaignId, assigneeId: null, status: 'closed' },
      { $push: { history: move } },
    );
    const closed = { campaignId, assigneeId: null, status: 'closed' } as const;
    expect(await store().readPage(closed, null, 5, 'op')).toEqual([]);
    const [found] = await store().readPage(closed, null, 5, 'another');
    expect(found?.id).toBe(moved?._id.toHexString());
  });

  it('counts what the operation has not moved of a few assignees and of many alike', async () => {
    const absent = Array.from({ length: 200 }, (_, index) => `absent${index}`);
    const count = (
      operationId: string,
      assignees: readonly (string | null)[],
      statuses: readonly Status[] = STATUSES,
    ) => store().countNotMoved(campaignId, assignees, statuses, operationId);
    expect(await count('another', [null, 't1'])).toBe(1 + (await count('op', [null, 't1'])));
    for (const operationId of ['op', 'another']) {
      const ofFew = await count(operationId, [null, 't1']);
      expect(await count(operationId, [null, 't1', ...absent])).toBe(ofFew);
    }
    expect(await count('op', [null, ...absent], ['closed'])).toBe(await count('op', [null], ['closed']));
    expect(await count('op', absent)).toBe(0);
  });

  it('stops counting at the limit', async () => {
    expect(await store().count(campaignId, [null, 't1'], ['not-started', 'closed'])).toBe(COUNT + 2);
    expect(await store().count(campaignId, [null], ['not-started'], 4)).toBe(4);
  });

  it('finds a conversation only in its campaign', async () => {
    const [first] = inOrder;
    expect(await store().findOne(campaignId, first?.id ?? '')).toEqual(first);
    expect(await store().findOne('another', first?.id ?? '')).toBeUndefined();
  });
});

describe('the view store', () => {
  it('finds conversations by id, then by external id, then by the name of the contact', async () => {
    const campaignId = await harness.seedCampaign(1);
    const names = ['Ann', 'Ann', 'x1', 'Bob'];
    const ids = await harness.seedConversations(
      campaignId,
      names.map((name) => ({ name })),
    );
    const [ann, secondAnn, namedX1, bob] = ids;
    const { conversations } = harness.context.database;
    await conversations.updateOne({ campaignId, 'contact.name': 'Bob' }, { $set: { externalId: 'x1' } });
    const find = (typed: string, limit = 10) => harness.context.views.findByText(campaignId, [typed], limit);
    const match = (conversationId: string | undefined, by: string) => ({ conversationId, by });
    expect(await find(ann ?? '')).toEqual([match(ann, 'id')]);
    expect(await find('Ann')).toHaveLength(2);
    expect(await find('Ann')).toEqual(expect.arrayContaining([match(ann, 'contact'), match(secondAnn, 'contact')]));
    expect(await find('Ann', 1)).toHaveLength(1);
    expect(await find('x1')).toEqual([match(bob, 'external id'), match(namedX1, 'contact')]);
    expect(await find('ann')).toEqual([]);
    expect(await harness.context.views.findByText('another', [ann ?? ''], 10)).toEqual([]);
  });
});
