import { Types } from 'mongoose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Position } from '../../src/domain/conversation.ts';
import type { Stores } from '../../src/operations/ports.ts';
import { Harness, many, type Seeded } from '../support/harness.ts';
import { rawConversations } from '../support/raw.ts';
import { oneSlice, runToEnd } from '../support/run-operation.ts';

const OWN = 12;
const KEPT = 6;
const BATCH = 20;

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.open();
});
afterAll(() => harness.close());

/** Returns stores that note where each page of a surplus begins. */
function watched(stores: Stores, begins: (Position | null)[]): Stores {
  const conversations = new Proxy(stores.conversations, {
    get(target, key): unknown {
      const member: unknown = Reflect.get(target, key);
      if (key !== 'readPageBefore') return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      return (...args: Parameters<Stores['conversations']['readPageBefore']>) => {
        begins.push(args[1]);
        return target.readPageBefore(...args);
      };
    },
  });
  return { ...stores, conversations };
}

// With ten givers or more, the range of all assignees is read, in which moved conversations keep their places.
it.each([
  ['one range', 12],
  ['a range for each giver', 4],
])('a surplus is read on where the slice before has stopped (%s)', async (_ways, givers) => {
  const campaignId = await harness.seedCampaign(2 * givers);
  const own = (texter: number): Seeded[] =>
    Array.from({ length: OWN }, (_, at) => ({
      assigneeId: `t${texter + 1}`,
      waitedMs: (at * givers + texter) * 1_000,
    }));
  await harness.seedConversations(campaignId, Array.from({ length: givers }, (_, texter) => own(texter)).flat());
  const begins: (Position | null)[] = [];
  const request = {
    kind: 'reassign',
    operationId: harness.newId('op'),
    campaignId,
    from: 'everyone',
    to: 'everyone',
  } as const;
  const stores = watched(harness.context.stores, begins);
  const ended = await runToEnd(stores, { ...request, status: 'any' }, { batchConversationsMax: BATCH });
  expect(ended?.receipt).toMatchObject({ selected: givers * KEPT, moved: givers * KEPT, skipped: [] });
  const docs = [...(await rawConversations(harness, campaignId)).values()];
  for (let texter = 1; texter <= 2 * givers; texter += 1) {
    expect(docs.filter(({ assigneeId }) => assigneeId === `t${texter}`)).toHaveLength(KEPT);
  }
  const first = begins.findIndex((begin) => begin !== null);
  expect(first).toBeGreaterThan(0);
  expect(begins.slice(first)).not.toContain(null);
});

/** What another program did to one of the conversations of each giver. */
const DAMAGE = [{ $set: { optedOut: true } }, { $unset: { waitingSince: '' } }, { $set: { status: 'archived' } }];

it('a surplus beside damaged conversations and another writer is read in slices, and each conversation moves once', async () => {
  const givers = 12;
  const campaignId = await harness.seedCampaign(2 * givers);
  const ids: string[] = [];
  for (let texter = 1; texter <= givers; texter += 1) {
    const own = Array.from({ length: OWN }, (_, at) => ({ assigneeId: `t${texter}`, waitedMs: at * 1_000 + texter }));
    ids.push(...(await harness.seedConversations(campaignId, own)));
  }
  const { conversations } = harness.context.database;
  for (const [kind, update] of DAMAGE.entries()) {
    const damaged = ids.filter((_, at) => at % OWN === kind).map((id) => new Types.ObjectId(id));
    await conversations.updateMany({ _id: { $in: damaged } }, update as object);
  }
  const operationId = harness.newId('op');
  const request = {
    kind: 'reassign',
    operationId,
    campaignId,
    from: 'everyone',
    to: 'everyone',
    status: 'any',
  } as const;
  let slices = 0;
  for (let isOver = false; !isOver; slices += 1) {
    isOver = (await oneSlice(harness.context.stores, request, { batchConversationsMax: BATCH })).kind === 'ended';
    // A texter finishes a conversation, and a contact who waits at the very end answers.
    await conversations.updateOne({ campaignId, status: 'not-started' }, { $set: { status: 'closed' } });
    await conversations.updateOne(
      { campaignId, status: 'not-started', assigneeId: `t${(slices % givers) + 1}` },
      { $set: { status: 'needs-reply', waitingSince: new Date() } },
    );
  }
  expect(slices).toBeGreaterThan(3);
  const docs = [...(await rawConversations(harness, campaignId)).values()];
  const operation = await harness.context.stores.operations.find(operationId);
  expect(docs.map(({ history }) => history.length).filter((moves) => moves > 1)).toEqual([]);
  expect(operation?.receipt?.moved).toBe(docs.filter(({ history }) => history.length === 1).length);
  const actionable = docs.filter(({ status, optedOut }) => String(status) !== 'archived' && !optedOut);
  const loads = Array.from({ length: 2 * givers }, (_, at) => {
    return actionable.filter(({ assigneeId }) => assigneeId === `t${at + 1}`).length;
  });
  expect([Math.min(...loads), Math.max(...loads)]).toEqual([5, 5]);
});

it.each([
  ['some of', 2],
  ['none of', 0],
])('a surplus is read from the end again when %s it was left where the slice continued', async (_some, left) => {
  const campaignId = await harness.seedCampaign(3);
  const own = Array.from({ length: OWN }, (_, at) => ({ assigneeId: 't1', waitedMs: (at + 1) * 1_000 }));
  await harness.seedConversations(campaignId, own);
  const between = { texterIds: ['t1', 't2'] };
  const ids = { operationId: harness.newId('op'), campaignId };
  const request = { kind: 'reassign', ...ids, from: between, to: between, status: 'any' } as const;
  const { context } = harness;
  await oneSlice(context.stores, request, { batchConversationsMax: 2 });
  const filter = { campaignId, assigneeId: 't1' };
  const rest = await context.database.conversations.find(filter).sort({ waitingSince: 1 }).toArray();
  expect(rest).toHaveLength(OWN - 2);
  // Another program takes the conversations that the operation would read next, and adds others behind those it has read.
  const taken = rest.slice(left).map(({ _id }) => _id);
  await context.database.conversations.updateMany({ _id: { $in: taken } }, { $set: { assigneeId: 't3' } });
  await harness.seedConversations(campaignId, many(KEPT, { assigneeId: 't1' }));
  const ended = await runToEnd(context.stores, request, { batchConversationsMax: 2 });
  expect(ended?.receipt).toMatchObject({ moved: KEPT, skipped: [] });
  expect(await context.database.conversations.countDocuments({ campaignId, assigneeId: 't2' })).toBe(KEPT);
});
