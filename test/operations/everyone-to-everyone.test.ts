import { Types } from 'mongoose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseRequest } from '../../src/operations/contract.ts';
import type { Operation } from '../../src/operations/operation.ts';
import { preview } from '../../src/operations/preview.ts';
import type { Stores } from '../../src/operations/ports.ts';
import { Harness, type Seeded } from '../support/harness.ts';
import { callsOf, dieAfter, intercepted, ProcessDied } from '../support/intercepted-stores.ts';
import { outcomeOf, rawConversations } from '../support/raw.ts';
import { oneSlice, runToEnd } from '../support/run-operation.ts';
import type { AnyRequest } from '../support/any-request.ts';

type Asked = Partial<Extract<AnyRequest, { kind: 'reassign' }>>;

/** How many campaigns a test tries at the same time. */
const AT_ONCE = 4;

let harness: Harness;
let stores: Stores;
beforeAll(async () => {
  harness = await Harness.open();
  ({ stores } = harness.context);
});
afterAll(() => harness.close());

/** The first conversation in the list is the most urgent one. */
const many = (count: number, more: Seeded): Seeded[] =>
  Array.from({ length: count }, (_, at) => ({ ...more, waitedMs: (count - at) * 1_000 }));

async function campaignOf(...groups: readonly Seeded[][]): Promise<{ campaignId: string; ids: string[] }> {
  const campaignId = await harness.seedCampaign(5);
  return { campaignId, ids: await harness.seedConversations(campaignId, groups.flat()) };
}

function requestOf(campaignId: string, more: Asked = {}): Extract<AnyRequest, { kind: 'reassign' }> {
  const asked = { from: 'everyone', to: 'everyone', status: 'any', ...more } as const;
  return { kind: 'reassign', operationId: harness.newId('op'), campaignId, ...asked };
}

const LARGE = { batchConversationsMax: 100, short: false } as const;
const run = (request: AnyRequest): Promise<Operation | undefined> => runToEnd(stores, request, LARGE);

/** The search for assignees, the counts from which the shares come, and the search for unknown statuses. */
const COUNTS = ['listAssignees', 'atOneMoment', 'readUnknown'].map((name) => `conversations.${name}`);

async function movedIds({ campaignId, operationId }: AnyRequest): Promise<string[]> {
  const docs = await rawConversations(harness, campaignId);
  return [...docs].flatMap(([id, { lastOperationId }]) => (lastOperationId === operationId ? [id] : []));
}

describe.each(['even', 'level'] as const)('reassigning from everyone to everyone (%s)', (spread) => {
  it('moves nothing and only counts when every texter has the same number', async () => {
    const { campaignId } = await campaignOf(...[1, 2, 3, 4, 5].map((at) => many(20, { assigneeId: `t${at}` })));
    const request = requestOf(campaignId, { spread });
    let ended: Operation | undefined;
    const calls = await callsOf(stores, async (watched) => {
      ended = await runToEnd(watched, request, LARGE);
    });
    expect(ended?.receipt).toMatchObject({ selected: 0, moved: 0, skipped: [] });
    expect(calls.filter((name) => name.startsWith('conversations.'))).toEqual(COUNTS);
  });

  it('takes the least urgent conversations of the one texter who has everything', async () => {
    const { campaignId, ids } = await campaignOf(
      many(10, { assigneeId: 't3', status: 'needs-reply' }),
      many(30, { assigneeId: 't3' }),
      many(10, { assigneeId: 't3', status: 'closed' }),
    );
    const request = requestOf(campaignId, { spread });
    const ended = await run(request);
    expect(ended?.receipt).toMatchObject({ selected: 40, moved: 40, skipped: [] });
    expect(await harness.loads(campaignId)).toEqual({ t1: 10, t2: 10, t3: 10, t4: 10, t5: 10 });
    expect((await movedIds(request)).sort()).toEqual(ids.slice(10).sort());
    // Every receiver gets the same mix.
    const byStatus = await stores.conversations.countByAssignee(campaignId);
    const closed = byStatus.filter(({ status }) => status === 'closed').map(({ count }) => count);
    expect(closed.sort()).toEqual([2, 2, 3, 3]);
  });

  it('reads the conversations of many texters with few queries, and takes the least urgent ones of each', async () => {
    const campaignId = await harness.seedCampaign(100);
    const ids = await harness.seedConversations(campaignId, [
      ...many(40, {}),
      ...Array.from({ length: 240 }, (_, at) => ({ assigneeId: `t${(at % 60) + 1}`, waitedMs: (300 - at) * 1_000 })),
    ]);
    const { conversations } = harness.context.database;
    // Another program wrote an assignee of another type. Nothing reaches such a conversation.
    await conversations.updateOne({ campaignId, assigneeId: 't60' }, { $set: { assigneeId: 7 as never } });
    const request = requestOf(campaignId, { spread });
    const shown = await preview(stores, parseRequest(request));
    let ended: Operation | undefined;
    const calls = await callsOf(stores, async (watched) => {
      ended = await runToEnd(watched, request, { ...LARGE, batchConversationsMax: 1_000 });
    });
    expect(ended?.receipt).toMatchObject({ moved: shown.moved, selected: shown.selected });
    const { pool, ...loads } = await harness.loads(campaignId);
    expect(pool).toBe(1);
    expect(new Set(Object.values(loads))).toEqual(new Set([2, 3]));
    expect(calls.filter((name) => name.startsWith('conversations.readPage')).length).toBeLessThan(20);
    // The most urgent conversation of each texter stays.
    const moved = new Set(await movedIds(request));
    expect(ids.slice(40, 99).filter((id) => moved.has(id))).toEqual([]);
  });

  it('moves as many conversations to a newcomer as the newcomer receives', async () => {
    const { campaignId } = await campaignOf(...[1, 2, 3, 4].map((at) => many(25, { assigneeId: `t${at}` })));
    const ended = await run(requestOf(campaignId, { spread }));
    expect(ended?.receipt).toMatchObject({ selected: 20, moved: 20, byTarget: [{ assigneeId: 't5', count: 20 }] });
  });

  it('gives the whole pool and all conversations of paused texters, and neither moves nor counts opted-out ones', async () => {
    const { campaignId } = await campaignOf(
      many(8, {}),
      many(4, { optedOut: true }),
      many(12, { assigneeId: 't5' }),
      many(20, { assigneeId: 't1' }),
      many(4, { assigneeId: 't1', optedOut: true, status: 'closed' }),
    );
    await harness.pause(campaignId, 't5');
    const ended = await run(requestOf(campaignId, { spread }));
    expect(await harness.loads(campaignId)).toEqual({ pool: 4, t1: 14, t2: 10, t3: 10, t4: 10 });
    expect(ended?.receipt).toMatchObject({ moved: 30, skipped: [{ reason: 'opted-out', count: 8 }] });
  });

  it('moves at most the requested count, the conversations without an active texter first', async () => {
    const { campaignId, ids } = await campaignOf(many(10, {}), many(40, { assigneeId: 't1' }));
    const few = requestOf(campaignId, { spread, count: 4 });
    expect((await run(few))?.receipt).toMatchObject({ selected: 4, moved: 4, shortBecause: null });
    expect((await movedIds(few)).sort()).toEqual(ids.slice(0, 4).sort());
    const rest = requestOf(campaignId, { spread, count: 100 });
    expect((await run(rest))?.receipt).toMatchObject({ moved: 36, shortBecause: 'none-left' });
    expect(await harness.loads(campaignId)).toEqual({ t1: 10, t2: 10, t3: 10, t4: 10, t5: 10 });
  });

  it('shares the conversations of some texters when only some of them are targets', async () => {
    const { campaignId } = await campaignOf(many(12, { assigneeId: 't1' }), many(4, { assigneeId: 't2' }));
    const named = { from: { texterIds: ['t1', 't2'] }, to: { texterIds: ['t2', 't3'] } };
    const ended = await run(requestOf(campaignId, { spread, ...named }));
    expect(await harness.loads(campaignId)).toEqual({ t2: 8, t3: 8 });
    expect(ended?.receipt).toMatchObject({ selected: 12, moved: 12, skipped: [] });
  });

  it('has a preview that is equal to the result', async () => {
    const { campaignId } = await campaignOf(
      many(7, {}),
      many(30, { assigneeId: 't1', status: 'needs-reply' }),
      many(3, { assigneeId: 't2', optedOut: true }),
      many(9, { assigneeId: 't4' }),
    );
    const request = requestOf(campaignId, { spread });
    const shown = await preview(stores, parseRequest(request));
    const ended = await run(request);
    expect(ended?.receipt).toMatchObject({ selected: shown.selected, moved: shown.moved, skipped: shown.skipped });
    const loads = await harness.loads(campaignId);
    for (const { assigneeId, after } of shown.assignees) expect(loads[assigneeId ?? 'pool'] ?? 0).toBe(after);
  });

  it('has the same result when its worker dies after any step and another one continues', async () => {
    const seed = async (): Promise<AnyRequest> => {
      const { campaignId } = await campaignOf(
        many(3, {}),
        many(9, { assigneeId: 't1' }),
        many(4, { assigneeId: 't1', status: 'needs-reply' }),
        many(2, { assigneeId: 't1', status: 'closed', optedOut: true }),
        many(6, { assigneeId: 't2' }),
      );
      return requestOf(campaignId, { spread });
    };
    const first = await seed();
    const calls = await callsOf(stores, (watched) => runToEnd(watched, first));
    const undisturbed = await outcomeOf(harness, first);
    const dieAt = async (step: number): Promise<void> => {
      const request = await seed();
      await expect(runToEnd(dieAfter(stores, step), request), `step ${step}`).rejects.toThrow(ProcessDied);
      await runToEnd(stores, request);
      expect(await outcomeOf(harness, request), `step ${step}`).toEqual(undisturbed);
    };
    const steps = calls.flatMap((name, index) => (name.startsWith('conversations.readPage') ? [] : [index + 1]));
    for (let at = 0; at < steps.length; at += AT_ONCE) await Promise.all(steps.slice(at, at + AT_ONCE).map(dieAt));
  }, 120_000);
});

describe('even and level differ in what they equalize', () => {
  const seeded = [many(12, { assigneeId: 't1' }), many(12, { assigneeId: 't2', status: 'closed' })];
  const named = { from: 'everyone', to: { texterIds: ['t1', 't2'] }, status: 'not-started' } as const;

  it('even equalizes the selected status', async () => {
    const { campaignId } = await campaignOf(...seeded);
    await run(requestOf(campaignId, { ...named, spread: 'even' }));
    expect(await harness.loads(campaignId)).toEqual({ t1: 6, t2: 18 });
  });

  it('level equalizes all statuses', async () => {
    const { campaignId } = await campaignOf(...seeded);
    await run(requestOf(campaignId, { ...named, spread: 'level' }));
    expect(await harness.loads(campaignId)).toEqual({ t1: 12, t2: 12 });
  });
});

describe('writers beside a reassign from everyone to everyone', () => {
  it.each([
    ['while more is planned', {}],
    ['after everything was planned', LARGE],
  ])('are replaced by the next conversations of the same texter, up to the surplus, %s', async (_when, settings) => {
    const { campaignId, ids } = await campaignOf(many(50, { assigneeId: 't1' }));
    const request = requestOf(campaignId);
    let isFirst = true;
    const busy = intercepted(stores, async (_number, name, call) => {
      if (name === 'batches.apply' && isFirst) {
        isFirst = false;
        const _id = { $in: ids.slice(-3).map((id) => new Types.ObjectId(id)) };
        await harness.context.database.conversations.updateMany({ _id }, { $set: { optedOut: true } });
      }
      return call();
    });
    const ended = await runToEnd(busy, request, settings);
    expect(ended?.receipt).toMatchObject({ selected: 43, moved: 40, skipped: [{ reason: 'opted-out', count: 3 }] });
    expect((await movedIds(request)).sort()).toEqual(ids.slice(7, 47).sort());
    expect(await harness.loads(campaignId)).toEqual({ t1: 10, t2: 10, t3: 10, t4: 10, t5: 10 });
  });

  it('do not raise what a texter gives when the texter gets more meanwhile', async () => {
    const { campaignId } = await campaignOf(many(50, { assigneeId: 't1' }));
    const request = requestOf(campaignId);
    await oneSlice(stores, request);
    await harness.seedConversations(campaignId, many(10, { assigneeId: 't1', status: 'closed' }));
    const ended = await runToEnd(stores, request);
    expect(ended?.receipt).toMatchObject({ selected: 40, moved: 40 });
    expect((await harness.loads(campaignId))['t1']).toBe(20);
  });

  it('leave the surplus with its texter when the only receiver is paused meanwhile', async () => {
    const { campaignId } = await campaignOf(...[1, 2, 3, 4].map((at) => many(25, { assigneeId: `t${at}` })));
    const request = requestOf(campaignId);
    await oneSlice(stores, request);
    await harness.pause(campaignId, 't5');
    const ended = await runToEnd(stores, request);
    expect(ended?.state).toBe('done');
    expect(ended?.receipt?.byTarget).toEqual([{ assigneeId: 't5', count: 4 }]);
  });
});
