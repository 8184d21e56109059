import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mongo, Types } from 'mongoose';
import type { Receipt } from '../../src/domain/receipt.ts';
import { objectIds } from '../../src/mongo/documents.ts';
import { preview } from '../../src/operations/index.ts';
import { parseRequest } from '../../src/operations/contract.ts';
import { viewSenders } from '../../src/conversations/index.ts';
import { Harness, many, type Seeded } from '../support/harness.ts';
import type { AnyRequest } from '../support/any-request.ts';
import { oneSlice, runToEnd } from '../support/run-operation.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.open();
});
afterAll(() => harness.close());

/** Changes stored conversations as another program could. */
async function change(ids: readonly (string | undefined)[], update: mongo.Document): Promise<void> {
  const filter = { _id: { $in: objectIds(ids.flatMap((id) => id ?? [])) } };
  await harness.context.database.conversations.updateMany(filter, update);
}

type WithoutId<Request> = Request extends AnyRequest ? Omit<Request, 'operationId'> : never;

async function run(request: WithoutId<AnyRequest>, size = 1_000): Promise<Receipt | null | undefined> {
  const full = { ...request, operationId: harness.newId('op') } as AnyRequest;
  const ended = await runToEnd(harness.context.stores, full, { short: false, batchConversationsMax: size });
  expect(ended?.state).toBe('done');
  return ended?.receipt;
}

/** What other programs leave out or write wrongly, for operations to skip. */
const SKIPPED: readonly (readonly [string, mongo.Document])[] = [
  ['no opt-out', { $unset: { optedOut: '' } }],
  ['the opt-out null', { $set: { optedOut: null } }],
  ['the opt-out in a text', { $set: { optedOut: 'no' } }],
  ['no status', { $unset: { status: '' } }],
  ['a status before all others', { $set: { status: 'archived' } }],
  ['a status between two others', { $set: { status: 'messaged' } }],
  ['a status after all others', { $set: { status: 'unknown' } }],
  ['a number as status', { $set: { status: 3 } }],
];

it.each([3, 102])(
  'a conversation whose status is unknown and whose assignee is a number is not selected, among %i texters',
  async (texters) => {
    const campaignId = await harness.seedCampaign(texters);
    const ids = await harness.seedConversations(campaignId, many(3));
    await change([ids[0]], { $set: { assigneeId: 5, status: 'archived' } });
    await change([ids[1]], { $set: { status: 'archived' } });
    const request = {
      kind: 'reassign',
      campaignId,
      from: 'everyone',
      to: { texterIds: ['t1'] },
      status: 'any',
    } as const;
    expect(await run(request)).toMatchObject({ selected: 2, moved: 1, skipped: [{ reason: 'incomplete', count: 1 }] });
  },
);

/** What has a default. */
const DEFAULTED: readonly (readonly [string, mongo.Document])[] = [
  ['no history, version and time of assignment', { $unset: { history: '', assignmentVersion: '', assignedAt: '' } }],
  ['a history and version of null', { $set: { history: null, assignmentVersion: null, assignedAt: null } }],
  ['a history and version of other types', { $set: { history: 'none', assignmentVersion: '0' } }],
  ['no waiting time', { $unset: { waitingSince: '' } }],
  ['a waiting time in a text', { $set: { waitingSince: '2020-01-01' } }],
  ['a waiting time as a number', { $set: { waitingSince: 5 } }],
  ['no waiting time and no creation time', { $unset: { waitingSince: '', createdAt: '' } }],
  ['a waiting time of true', { $set: { waitingSince: true } }],
  ['an object as waiting time', { $set: { waitingSince: {} } }],
  ['an id as waiting time', { $set: { waitingSince: new Types.ObjectId() } }],
  ['bytes as waiting time', { $set: { waitingSince: new mongo.Binary(Buffer.from('x')) } }],
  ['a waiting time that is not a number', { $set: { waitingSince: NaN } }],
  ['other fields of other types', { $set: { externalId: 7, lastOperationId: 7, history: [null] } }],
  ['no assignee', { $unset: { assigneeId: '', externalId: '', lastOperationId: '' } }],
];

describe.each(SKIPPED)('a conversation with %s', (_what, update) => {
  it('is skipped as incomplete by a reassign and its preview, and the others move', async () => {
    const campaignId = await harness.seedCampaign(2);
    const ids = await harness.seedConversations(campaignId, [
      ...many(5),
      ...many(5, { assigneeId: 't1', status: 'closed' }),
    ]);
    await change([ids[2], ids[7]], update);
    const request = {
      kind: 'reassign',
      campaignId,
      from: 'everyone',
      to: { texterIds: ['t2'] },
      status: 'any',
    } as const;
    const expected = { selected: 10, moved: 8, skipped: [{ reason: 'incomplete', count: 2 }] };
    const parsed = parseRequest({ ...request, operationId: 'op_preview' });
    expect(await preview(harness.context.stores, parsed)).toMatchObject(expected);
    expect(await run(request)).toMatchObject({ ...expected, left: null });
    expect(await harness.loads(campaignId)).toEqual({ pool: 1, t1: 1, t2: 8 });
  });

  it('is skipped as incomplete when it is one of more than a hundred sources, and left alone otherwise', async () => {
    const campaignId = await harness.seedCampaign(102);
    const ids = await harness.seedConversations(campaignId, [...many(2), ...many(2, { assigneeId: 't1' })]);
    await change([ids[0], ids[2]], update);
    const sources = Array.from({ length: 101 }, (_, index) => `t${index + 1}`);
    const from = { texterIds: sources as [string, ...string[]] };
    const request = { kind: 'reassign', campaignId, from, to: { texterIds: ['t102'] }, status: 'any' } as const;
    const expected = { selected: 2, moved: 1, skipped: [{ reason: 'incomplete', count: 1 }] };
    expect(await run(request)).toMatchObject({ ...expected, left: null });
  });

  it('is skipped as incomplete when there is no other, by an operation of several slices', async () => {
    const campaignId = await harness.seedCampaign(1);
    await change(await harness.seedConversations(campaignId, many(6)), update);
    const request = { kind: 'reassign', campaignId, from: 'pool', to: 'everyone', status: 'any' } as const;
    expect(await run(request)).toMatchObject({ selected: 6, moved: 0, skipped: [{ reason: 'incomplete', count: 6 }] });
  });

  it('is skipped by an unassign of all', async () => {
    const campaignId = await harness.seedCampaign(1);
    const ids = await harness.seedConversations(campaignId, many(6, { assigneeId: 't1' }));
    await change([ids[0]], update);
    const receipt = await run({ kind: 'unassign', campaignId, from: 'everyone', status: 'any', confirm: 6 });
    expect(receipt).toMatchObject({ moved: 5, skipped: [{ reason: 'incomplete', count: 1 }] });
  });

  it('is counted once when it became so after the operation had moved it', async () => {
    const campaignId = await harness.seedCampaign(2);
    const ids = await harness.seedConversations(campaignId, many(8));
    const asked = { operationId: harness.newId('op'), campaignId, from: 'everyone', status: 'any' } as const;
    const request = { kind: 'reassign', ...asked, to: { texterIds: ['t2'] } } as const;
    const { kind } = await oneSlice(harness.context.stores, request, { batchConversationsMax: 4 });
    await change([ids[0]], update);
    const ended = await runToEnd(harness.context.stores, request, { batchConversationsMax: 4 });
    expect([kind, ended?.state]).toEqual(['unfinished', 'done']);
    expect(ended?.receipt).toMatchObject({ selected: 8, moved: 8, skipped: [], left: null });
  });

  it('is skipped when it is moved alone, and is neither given to a claim nor in its way', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: { enabled: true } });
    const ids = await harness.seedConversations(campaignId, many(4));
    await change([ids[0]], update);
    const conversationId = ids[0] ?? '';
    const receipt = await run({ kind: 'reassign-one', campaignId, conversationId, to: { texterIds: ['t1'] } });
    expect(receipt).toMatchObject({ moved: 0, skipped: [{ reason: 'incomplete', count: 1 }] });
    const { conversationIds } = await claim(campaignId);
    expect([...conversationIds].sort()).toEqual(ids.slice(1).sort());
  });

  it('is counted apart in the view of senders', async () => {
    const campaignId = await harness.seedCampaign(1);
    const ids = await harness.seedConversations(campaignId, [...many(3), ...many(2, { assigneeId: 't1' })]);
    await change([ids[0], ids[3]], update);
    const { pool, senders } = await viewSenders(harness.context, campaignId);
    const isCounted = !(
      'optedOut' in (update['$set'] ?? {}) && (update['$set'] as mongo.Document)['optedOut'] === 'no'
    );
    const incomplete = isCounted ? 1 : 0;
    expect(pool).toMatchObject({ incomplete, total: 3, optedOut: 0 });
    expect(senders[0]).toMatchObject({ incomplete, total: 2, optedOut: 0 });
  });

  it('is in the export', async () => {
    const campaignId = await harness.seedCampaign(1);
    const ids = await harness.seedConversations(campaignId, many(1));
    await change(ids, update);
    const found = await harness.context.views.findWithHistory(campaignId, ids[0] ?? '');
    expect(found?.status === null || found?.optedOut === null).toBe(true);
  });
});

describe.each(DEFAULTED)('a conversation with %s', (_what, update) => {
  it('moves from the pool to a texter, back, and back again by an undo', async () => {
    const campaignId = await harness.seedCampaign(1);
    const ids = await harness.seedConversations(campaignId, many(5));
    await change([ids[1], ids[4]], update);
    const operationId = harness.newId('op');
    const common = { campaignId, status: 'any' } as const;
    const to = { texterIds: ['t1'] };
    const moved = await runToEnd(harness.context.stores, {
      kind: 'reassign',
      operationId,
      from: 'pool',
      to,
      ...common,
    });
    expect(moved?.receipt).toMatchObject({ moved: 5, skipped: [] });
    expect(await run({ kind: 'undo', campaignId, undoes: operationId })).toMatchObject({ moved: 5, skipped: [] });
    expect(await harness.loads(campaignId)).toEqual({ pool: 5 });
    const found = await harness.context.views.findWithHistory(campaignId, ids[1] ?? '');
    expect(found).toMatchObject({ assignmentVersion: 2, history: [{ to: 't1' }, { to: null }] });
  });

  it('is given to a claim', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: { enabled: true } });
    const ids = await harness.seedConversations(campaignId, many(5));
    await change([ids[1], ids[4]], update);
    expect([...(await claim(campaignId)).conversationIds].sort()).toEqual([...ids].sort());
  });

  it('moves alone', async () => {
    const campaignId = await harness.seedCampaign(1);
    const ids = await harness.seedConversations(campaignId, many(1));
    await change(ids, update);
    const receipt = await run({
      kind: 'reassign-one',
      campaignId,
      conversationId: ids[0] ?? '',
      to: { texterIds: ['t1'] },
    });
    expect(receipt).toMatchObject({ moved: 1 });
  });
});

describe('a conversation that is assigned to no id', () => {
  it.each([7, '', true, {}])(
    'moves nowhere and is shown with the incomplete ones of the pool: %j',
    async (assigneeId) => {
      const campaignId = await harness.seedCampaign(2);
      const ids = await harness.seedConversations(campaignId, many(3, { assigneeId: 't1' }));
      await change([ids[0]], { $set: { assigneeId } });
      const conversationId = ids[0] ?? '';
      const to = { texterIds: ['t2'] } as const;
      const alone = await run({ kind: 'reassign-one', campaignId, conversationId, to });
      expect(alone).toMatchObject({ moved: 0, skipped: [{ reason: 'incomplete', count: 1 }] });
      const all = await run({ kind: 'reassign', campaignId, from: 'everyone', to, status: 'any' });
      expect(all).toMatchObject({ moved: 2, left: null });
      const { pool, senders } = await viewSenders(harness.context, campaignId);
      expect(pool).toMatchObject({ incomplete: 1, total: 1 });
      expect(senders.map(({ texterId, total }) => [texterId, total])).toEqual([
        ['t1', 0],
        ['t2', 2],
      ]);
      expect(await harness.context.views.findWithHistory(campaignId, conversationId)).toMatchObject({
        assigneeId: null,
      });
    },
  );
});

describe('a waiting time that the index has after the times, or in several places', () => {
  it.each([
    ['a timestamp', new mongo.Timestamp({ t: 1, i: 1 })],
    ['a list', [new Date()]],
    ['an empty list', []],
  ])('is not selected, and ends no page early: %s', async (_what, waitingSince) => {
    const campaignId = await harness.seedCampaign(1);
    const ids = await harness.seedConversations(campaignId, many(70));
    await change(ids.slice(0, 60), { $set: { waitingSince } });
    const to = { texterIds: ['t1'] };
    const receipt = await run({ kind: 'reassign', campaignId, from: 'pool', to, status: 'any' });
    expect(receipt).toMatchObject({ selected: 10, moved: 10 });
  });
});

describe('the warning about limits', () => {
  it('does not count incomplete conversations, as claims do not', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: { enabled: true, openMax: 2 } });
    const ids = await harness.seedConversations(campaignId, [...many(2, { assigneeId: 't1' }), ...many(2)]);
    await change(ids.slice(0, 2), { $unset: { optedOut: '' } });
    const to = { texterIds: ['t1'] };
    const receipt = await run({ kind: 'reassign', campaignId, from: 'pool', to, status: 'any' });
    expect(receipt).toMatchObject({ moved: 2 });
    expect(receipt).not.toHaveProperty('overLimit');
  });
});

describe('the confirmation of an unassign of all', () => {
  it.each(SKIPPED.filter(([what]) => !what.includes('text')))(
    'does not count a conversation with %s',
    async (_what, update) => {
      const campaignId = await harness.seedCampaign(1);
      const ids = await harness.seedConversations(campaignId, many(6, { assigneeId: 't1' }));
      await change([ids[0]], update);
      const receipt = await run({ kind: 'unassign', campaignId, from: 'everyone', status: 'any', confirm: 5 });
      expect(receipt).toMatchObject({ moved: 5 });
    },
  );
});

describe('conversations without a waiting time', () => {
  const MINUTE_MS = 60_000;
  /** Each waits since another minute. Every second one does not say so, and has this time as its creation time. */
  async function seeded(count: number, more: Seeded = {}): Promise<{ campaignId: string; inOrder: string[] }> {
    const campaignId = await harness.seedCampaign(2, { selfAssign: { enabled: true } });
    const shuffled = Array.from({ length: count }, (_, at) => (at * 7) % count);
    const ids = await harness.seedConversations(
      campaignId,
      shuffled.map((at) => ({ ...more, waitedMs: (count - at) * MINUTE_MS })),
    );
    const inOrder: string[] = [];
    for (const [index, at] of shuffled.entries()) inOrder[at] = ids[index] ?? '';
    await change(
      inOrder.filter((_, at) => at % 2 === 0),
      { $unset: { waitingSince: '' } },
    );
    return { campaignId, inOrder };
  }

  it.each(['in-order', 'from-end'] as const)(
    'have the place of their creation time, page by page (%s)',
    async (direction) => {
      const { campaignId, inOrder } = await seeded(60, { assigneeId: 't1' });
      const { conversations } = harness.context.stores;
      const range = { campaignId, assigneeId: 't1', status: 'not-started' } as const;
      const read: string[] = [];
      let page = await (direction === 'in-order'
        ? conversations.readPage(range, null, 7, 'op')
        : conversations.readPageBefore(range, null, 7, 'op'));
      while (page.length > 0) {
        read.push(...page.map(({ id }) => id));
        const last = page.at(-1) ?? null;
        page = await (direction === 'in-order'
          ? conversations.readPage(range, last, 7, 'op')
          : conversations.readPageBefore(range, last, 7, 'op'));
      }
      expect(read).toEqual(direction === 'in-order' ? inOrder : inOrder.toReversed());
    },
  );

  it('are given to claims in the order of their creation times', async () => {
    const { campaignId, inOrder } = await seeded(30);
    expect((await claim(campaignId, 11)).conversationIds).toEqual(inOrder.slice(0, 11));
    expect((await claim(campaignId, 11)).conversationIds).toEqual(inOrder.slice(11, 22));
  });

  it('all move when there are more than are ordered by their creation times', async () => {
    const campaignId = await harness.seedCampaign(1);
    const ids = await harness.seedConversations(campaignId, many(2_500));
    await change(ids.slice(300), { $unset: { waitingSince: '' } });
    const receipt = await run(
      { kind: 'reassign', campaignId, from: 'pool', to: { texterIds: ['t1'] }, status: 'any' },
      400,
    );
    expect(receipt).toMatchObject({ moved: 2_500, skipped: [], left: null });
  });
});

async function claim(campaignId: string, count?: number): Promise<{ conversationIds: readonly string[] }> {
  const operationId = harness.newId('cl');
  const more = count === undefined ? {} : { count };
  const request = { kind: 'self-assign', operationId, campaignId, texterId: 't1', ...more } as const;
  const command = { request, requestHash: 'h', sendId: 's' };
  const { serveClaims } = await import('../../src/claims/index.ts');
  const { answered } = await serveClaims(harness.context.stores.claims, campaignId, [command]);
  expect(answered[0]?.error).toBeNull();
  return { conversationIds: answered[0]?.granted ?? [] };
}
