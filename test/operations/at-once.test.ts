import mongoose from 'mongoose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { objectIds } from '../../src/mongo/documents.ts';
import { setActive, setClosed } from '../../src/campaigns/index.ts';
import type { Progress } from '../../src/domain/answers.ts';
import { requestHash } from '../../src/domain/requests.ts';
import type { Receipt } from '../../src/domain/receipt.ts';
import { parseRequest, runOperation } from '../../src/operations/index.ts';
import type { Stores } from '../../src/operations/ports.ts';
import type { AnyRequest } from '../support/any-request.ts';
import { TransactionSize } from '../../src/operations/apply-in-parts.ts';
import { Harness, many, MIXED, type Seeded } from '../support/harness.ts';
import { callsOf, inParts, intercepted } from '../support/intercepted-stores.ts';
import { rawBatches, rawConversations, rawOperation } from '../support/raw.ts';
import { roundTripsOf } from '../support/round-trips.ts';
import { cancelWithoutQueue, record, runToEnd } from '../support/run-operation.ts';
import { SentCommands } from '../support/sent-commands.ts';

const RULES = { selfAssign: { enabled: true, openMax: 2, repliesMax: 1 } };
const LARGE = { batchConversationsMax: 500, short: false };

let harness: Harness;
let commands: SentCommands;
let stores: Stores;
beforeAll(async () => {
  harness = await Harness.open();
  commands = await SentCommands.open(harness);
  stores = harness.context.stores;
});
afterAll(async () => {
  await commands.context.close();
  await harness.close();
});

interface Seed {
  readonly campaignId: string;
  readonly ids: readonly string[];
}

async function seed(
  conversations: readonly Seeded[],
  rules: Parameters<Harness['seedCampaign']>[1] = {},
): Promise<Seed> {
  const campaignId = await harness.seedCampaign(3, rules);
  return { campaignId, ids: await harness.seedConversations(campaignId, conversations) };
}

const asked = ({ campaignId }: Seed) => ({ operationId: harness.newId('op'), campaignId });
const dealThree = (on: Seed): AnyRequest => {
  return { kind: 'reassign', ...asked(on), from: 'pool', to: { texterIds: ['t1', 't2'] }, status: 'any', count: 3 };
};

/** Returns the assignees of conversations, in their order. */
async function assigneesOf({ campaignId, ids }: Seed): Promise<(string | null | undefined)[]> {
  const docs = await rawConversations(harness, campaignId);
  return ids.map((id) => docs.get(id)?.assigneeId);
}

/** The database returns the sums of a receipt in any order. */
function inOrder(receipt: Receipt | null): Partial<Record<keyof Receipt, readonly unknown[]>> {
  const lists = Object.entries(receipt ?? {}).filter(([, value]) => Array.isArray(value)) as [string, unknown[]][];
  return Object.fromEntries(lists.map(([name, value]) => [name, value.map((each) => JSON.stringify(each)).sort()]));
}

/** Returns stores that call `meanwhile` before the transaction of a whole operation. */
function meanwhile(action: () => Promise<unknown>): Stores {
  return intercepted(stores, async (_number, name, call) => {
    if (name === 'operations.endAtOnce') await action();
    return call();
  });
}

describe('an operation that fits one batch', () => {
  it('waits for thirteen answers of the database after it was accepted', async () => {
    const on = await seed(many(20));
    const requests = [1, 2, 3].map(() => dealThree(on));
    for (const request of requests) await record(stores, request);
    const steps = await roundTripsOf(commands, ({ stores: monitored }, run) =>
      runToEnd(monitored, requests[run] ?? dealThree(on), LARGE),
    );
    expect(steps).toEqual([
      ['find operations'],
      ['find operations'],
      ['find campaigns', 'find credits', 'find texters'],
      ['findAndModify operations'],
      ['find conversations'],
      ['find conversations'],
      ['find texters', 'update conversations'],
      ['find campaigns', 'find credits'],
      ['findAndModify operations'],
      ['update credits'],
      ['insert batches'],
      ['update texters'],
      ['commitTransaction'],
    ]);
  });

  const KINDS: Record<string, (on: Seed) => AnyRequest | Promise<AnyRequest>> = {
    'a reassign with a count': dealThree,
    'a reassign of more than there is': (on) => ({ ...dealThree(on), count: 30 }) as AnyRequest,
    'a reassign of all with one status': (on) => ({
      kind: 'reassign',
      ...asked(on),
      ...{ from: { texterIds: ['t1'] }, to: { texterIds: ['t3'] }, status: 'not-started' },
    }),
    'a reassign of all to several texters': (on) => ({
      kind: 'reassign',
      ...asked(on),
      ...{ from: 'pool', to: { texterIds: ['t2', 't3'] }, status: 'any', spread: 'level' },
    }),
    'a reassign of numbers': (on) => ({
      kind: 'reassign',
      ...asked(on),
      ...{ from: 'pool', to: { counts: { t1: 1, t3: 2 } }, status: 'any' },
    }),
    'an unassign of all': (on) => ({
      kind: 'unassign',
      ...asked(on),
      ...{ from: { texterIds: ['t1'] }, status: 'any', confirm: 4 },
    }),
    'an unassign of more than was confirmed': (on) => ({
      kind: 'unassign',
      ...asked(on),
      ...{ from: { texterIds: ['t1'] }, status: 'any', confirm: 4, count: 2 },
    }),
    'a list': (on) => ({
      kind: 'reassign-list',
      ...asked(on),
      conversations: [0, 2, 4, 6].map((place) => ({ conversationId: on.ids[place] ?? '' })),
      to: { texterIds: ['t2'] },
    }),
    'an undo': async (on) => {
      const undone = dealThree(on);
      await runToEnd(stores, undone, LARGE);
      return { kind: 'undo', ...asked(on), undoes: undone.operationId };
    },
    'an undo of what was worked on': async (on) => {
      const undone = dealThree(on);
      await runToEnd(stores, undone, LARGE);
      const moved = { campaignId: on.campaignId, lastOperationId: undone.operationId };
      await harness.context.database.conversations.updateMany(moved, { $set: { status: 'closed' } });
      return { kind: 'undo', ...asked(on), undoes: undone.operationId, includeWorkedOn: true };
    },
  };

  it.each(Object.entries(KINDS))(
    'has the receipt and the batches of one that is applied in parts: %s',
    async (name, of) => {
      const outcomes = [];
      for (const used of [stores, inParts(stores)]) {
        const on = await seed(MIXED, RULES);
        const request = await of(on);

        const calls = await callsOf(used, (recorded) => runToEnd(recorded, request, LARGE));
        const { receipt, plan, campaignLock, state } = await rawOperation(harness, request.operationId);
        const places = new Map(on.ids.map((id, place) => [id, place]));
        const batches = (await rawBatches(harness, request.operationId)).map(({ state: as, moves, skips, after }) => ({
          as,
          moves: moves.map(({ conversationIds, ...move }) => [
            move,
            conversationIds.map((id) => places.get(String(id))),
          ]),
          skips: skips.map(({ conversationIds, ...skip }) => [
            skip,
            conversationIds.map((id) => places.get(String(id))),
          ]),
          planned: after.planned,
        }));
        const credits = await harness.context.database.credits.findOne({ _id: on.campaignId });
        const results = receipt?.results?.map(({ result }) => result);
        const told = { ...receipt, ...inOrder(receipt), results };
        outcomes.push({
          told,
          plan,
          campaignLock,
          state,
          batches,
          credits: credits?.credits,
          assignees: await assigneesOf(on),
        });
        expect(calls.includes('batches.insert')).toBe(used !== stores || name.includes('worked on'));
      }
      expect(outcomes[0]).toEqual(outcomes[1]);
    },
  );
});

describe('an operation that is moved at once, beside other writers', () => {
  it('replaces a conversation that a texter has taken meanwhile', async () => {
    const on = await seed(many(8));
    const first = { _id: { $in: objectIds(on.ids.slice(0, 1)) } };
    const take = () => harness.context.database.conversations.updateOne(first, { $set: { assigneeId: 't3' } });
    const taken = meanwhile(take);
    const ended = await runToEnd(taken, dealThree(on), LARGE);
    expect(ended?.receipt).toMatchObject({ moved: 3, selected: 4 });
    expect((await assigneesOf(on)).filter((assignee) => assignee !== null)).toHaveLength(4);
  });

  it('is applied in parts after its transaction has met another writer, and reports the conflict', async () => {
    const on = await seed(many(120));
    const { database, clock } = harness.context;
    const session = database.client.startSession();
    const conflicting = intercepted(stores, async (_number, name, call) => {
      if (name === 'operations.endAtOnce') {
        session.startTransaction();
        await database.conversations.updateOne({ campaignId: on.campaignId }, { $set: { name: 'Ada' } }, { session });
      }
      if (name === 'batches.insert') await session.endSession();
      return call();
    });
    const reported: Progress[] = [];
    const input = { ...dealThree(on), count: 100 } as AnyRequest;
    const command = { request: parseRequest(input), requestHash: requestHash(input), sendId: 'test' };
    const limits = { batchConversationsMax: 120, batchesInFlightMax: 2 };
    const onProgress = (progress: Progress) => reported.push(progress);
    const controls = { limits, shouldStop: () => false, onProgress };
    const { operation } = await runOperation({ stores: conflicting, clock }, command, controls);
    expect(operation.receipt).toMatchObject({ moved: 100, selected: 100 });
    expect(reported[0]).toMatchObject({ moved: 60, conflicts: 1 });
  });

  it('is tried at once again after a level, which is never moved at once', async () => {
    const on = await seed(many(8, { assigneeId: 't1' }));
    const transactionSize = new TransactionSize(LARGE.batchConversationsMax);
    const level = { ...dealThree(on), from: 'everyone', to: 'everyone', count: undefined, spread: 'level' };
    await runToEnd(stores, level as AnyRequest, { ...LARGE, transactionSize });
    expect(transactionSize.mayTryAtOnce).toBe(true);
  });

  it('also moves what comes to its source while it counts', async () => {
    const on = await seed(many(3));
    const all = { ...dealThree(on), count: undefined } as AnyRequest;
    let hasCome = false;
    const more = intercepted(stores, async (_number, name, call) => {
      if (name === 'conversations.countNotMoved' && !hasCome) {
        hasCome = true;
        await harness.seedConversations(on.campaignId, [{}]);
      }
      return call();
    });
    expect((await runToEnd(more, all, LARGE))?.receipt).toMatchObject({ moved: 4, left: null });
    expect(new Set(await assigneesOf(on))).toEqual(new Set(['t1', 't2']));
    expect(await harness.loads(on.campaignId)).not.toHaveProperty('pool');
  });

  it('gives nothing to a texter who was paused, and nothing at all when the campaign was closed', async () => {
    const on = await seed(many(6));
    const paused = meanwhile(() => setActive(harness.context, on.campaignId, 't1', false));
    const receipt = (await runToEnd(paused, dealThree(on), LARGE))?.receipt;
    expect(receipt?.byTarget).toEqual([{ assigneeId: 't2', count: 3 }]);
    const closed = meanwhile(() => setClosed(harness.context, on.campaignId, true));
    const halted = await runToEnd(closed, { ...dealThree(on), to: { texterIds: ['t3'] } } as AnyRequest, LARGE);
    expect(halted).toMatchObject({ state: 'failed', error: { code: 'closed-meanwhile' }, receipt: { moved: 0 } });
  });

  it('gives nothing to a texter after the pause of the texter is acknowledged, in the middle of the transaction', async () => {
    const on = await seed(many(4));
    const prototype = mongoose.mongo.Collection.prototype;
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the collection it is called on
    const original = prototype.findOneAndUpdate as (...args: unknown[]) => Promise<unknown>;
    let paused: Promise<Record<string, number>> | undefined;
    const pause = async (): Promise<Record<string, number>> => {
      await setActive(harness.context, on.campaignId, 't1', false);
      return harness.loads(on.campaignId);
    };
    vi.spyOn(prototype, 'findOneAndUpdate').mockImplementation(async function (this: unknown, ...args: unknown[]) {
      // The transaction has moved the conversations by then, and has not written the texters.
      if (JSON.stringify(args[1]).includes('"state":"done"')) await (paused ??= pause());
      return original.apply(this, args);
    } as never);
    const ended = await runToEnd(stores, dealThree(on), LARGE);
    vi.restoreAllMocks();
    expect(ended?.receipt?.moved).toBe(3);
    expect((await harness.loads(on.campaignId))['t1']).toBe((await paused)?.['t1']);
  });

  it('counts what came after the confirmed number as left', async () => {
    const on = await seed(many(3, { assigneeId: 't1' }));
    let hasCome = false;
    const more = intercepted(stores, async (_number, name, call) => {
      if (name === 'conversations.readPage' && !hasCome) {
        hasCome = true;
        await harness.seedConversations(on.campaignId, [{ assigneeId: 't1' }]);
      }
      return call();
    });
    const from = { texterIds: ['t1'] };
    const request = { kind: 'unassign', ...asked(on), from, status: 'any', confirm: 3 } as const;
    const calls = await callsOf(more, (recorded) => runToEnd(recorded, request, LARGE));
    expect(calls).not.toContain('batches.insert');
    const { receipt } = await rawOperation(harness, request.operationId);
    expect(receipt).toMatchObject({ moved: 3, left: 1 });
  });

  it('names the targets that were paused before its end, and gives them no credits', async () => {
    const on = await seed(many(1));
    const paused = intercepted(stores, async (_number, name, call) => {
      if (name === 'conversations.readPage') {
        for (const texterId of ['t2', 't3']) await setActive(harness.context, on.campaignId, texterId, false);
      }
      return call();
    });
    const request = { kind: 'reassign', ...asked(on), from: 'pool', to: 'everyone', status: 'any', count: 1 } as const;
    const calls = await callsOf(paused, (recorded) => runToEnd(recorded, request, LARGE));
    expect(calls).not.toContain('batches.insert');
    const { receipt } = await rawOperation(harness, request.operationId);
    expect(receipt).toMatchObject({ moved: 1, pausedTargets: ['t2', 't3'] });
    const credits = await harness.context.database.credits.findOne({ _id: on.campaignId });
    expect(credits?.credits ?? []).toEqual([]);
  });

  it('continues after a worker of an earlier version has taken the lock without a plan', async () => {
    const on = await seed(many(4));
    const request = dealThree(on);
    const { operations } = harness.context.database;
    const older = intercepted(stores, async (_number, name, call) => {
      const locked = { state: 'running', campaignLock: on.campaignId } as const;
      if (name === 'operations.start') await operations.updateOne({ _id: request.operationId }, { $set: locked });
      return call();
    });
    expect(await runToEnd(older, request, LARGE)).toMatchObject({ state: 'done', receipt: { moved: 3 } });
  });

  it('moves nothing after its cancellation was recorded', async () => {
    const on = await seed(many(4));
    const request = dealThree(on);
    const cancelled = meanwhile(() => cancelWithoutQueue(stores, request));
    const ended = await runToEnd(cancelled, request, LARGE);
    expect(ended).toMatchObject({ state: 'cancelled', receipt: { moved: 0 } });
    expect(await assigneesOf(on)).toEqual([null, null, null, null]);
  });

  it('is moved once when two workers run it at the same time', async () => {
    const on = await seed(many(9));
    const request = dealThree(on);
    await record(stores, request);
    let other: Promise<unknown> | undefined;
    const twice = meanwhile(async () => {
      other ??= runToEnd(stores, request, LARGE);
      await other;
    });
    const ended = await runToEnd(twice, request, LARGE);
    expect(ended).toMatchObject({ state: 'done', receipt: { moved: 3, selected: 3 } });
    expect((await assigneesOf(on)).filter((assignee) => assignee !== null)).toHaveLength(3);
    expect((await rawBatches(harness, request.operationId)).map(({ state }) => state)).toEqual([
      'applied',
      'end-marker',
    ]);
  });
});
