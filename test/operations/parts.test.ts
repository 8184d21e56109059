import { setTimeout as delay } from 'node:timers/promises';
import { Types } from 'mongoose';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { cancel } from '../../src/operations/cancel.ts';
import { Overtaken, type Stores } from '../../src/operations/ports.ts';
import { TransactionSize, TransactionSizes } from '../../src/operations/apply-in-parts.ts';
import { Harness } from '../support/harness.ts';
import { intercepted, ProcessDied } from '../support/intercepted-stores.ts';
import { idsOf, rawBatches, rawConversations, rawOperation } from '../support/raw.ts';
import { oneSlice, runToEnd } from '../support/run-operation.ts';
import type { AnyRequest } from '../support/any-request.ts';

const IN_PARTS = { batchConversationsMax: 8, partMax: 3, short: false } as const;
const TIMEOUT_MS = 120_000;

describe('the size of a transaction', () => {
  it('doubles until the first conflict, then halves after each conflict and grows slowly', () => {
    const size = new TransactionSize(2_000);
    const sizes = [size.current];
    for (let at = 0; at < 4; at += 1) {
      size.grow(size.current);
      sizes.push(size.current);
    }
    expect(sizes).toEqual([250, 500, 1_000, 2_000, 2_000]);
    size.shrink(2_000);
    size.shrink(2_000);
    expect(size.current).toBe(1_000);
    size.grow(1_000);
    expect(size.current).toBe(1_120);
  });

  it('leaves batches large, so that each of their statements moves many conversations', () => {
    const size = new TransactionSize(2_000);
    size.shrink(100);
    expect([size.current, size.ofBatch]).toEqual([50, 1_000]);
    expect(new TransactionSize(300).ofBatch).toBe(300);
  });

  it('stays between its limits', () => {
    const size = new TransactionSize(100);
    for (let at = 0; at < 10; at += 1) size.shrink(size.current);
    expect(size.current).toBe(25);
    for (let at = 0; at < 100; at += 1) size.grow(size.current);
    expect(size.current).toBe(100);
    expect(new TransactionSize(4).current).toBe(4);
  });

  it('lets one more batch be in flight while it is small', () => {
    const size = new TransactionSize(2_000);
    expect(size.batchesInFlight(2)).toBe(3);
    for (let at = 0; at < 3; at += 1) size.grow(size.current);
    expect(size.batchesInFlight(2)).toBe(2);
  });

  it('keeps operations from being moved at once for five seconds after one could not be', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const size = new TransactionSize(2_000);
    expect(size.mayTryAtOnce).toBe(true);
    size.noteNotAtOnce();
    expect(size.mayTryAtOnce).toBe(false);
    vi.advanceTimersByTime(5_000);
    expect(size.mayTryAtOnce).toBe(true);
  });

  it('is kept for each campaign', () => {
    const sizes = new TransactionSizes(2_000);
    sizes.of('c1').shrink(200);
    expect([sizes.of('c1').current, sizes.of('c2').current]).toEqual([100, 250]);
  });
});

describe('a batch that is applied in parts', { timeout: TIMEOUT_MS }, () => {
  let harness: Harness;
  let stores: Stores;

  beforeAll(async () => {
    harness = await Harness.open();
    stores = harness.context.stores;
  });
  afterAll(() => harness.close());

  async function campaignOf(count: number): Promise<{ request: AnyRequest; ids: string[] }> {
    const campaignId = await harness.seedCampaign(2);
    const ids = await harness.seedConversations(
      campaignId,
      Array.from({ length: count }, (_, at) => ({ waitedMs: (count - at) * 1_000 })),
    );
    const operationId = harness.newId('op');
    return { request: { kind: 'reassign', operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' }, ids };
  }

  async function movedIds({ campaignId, operationId }: AnyRequest): Promise<string[]> {
    const docs = await rawConversations(harness, campaignId);
    return [...docs].flatMap(([id, { history }]) =>
      history.some((move) => move.operationId === operationId) ? id : [],
    );
  }

  /** Calls `meanwhile` before the second part of the first batch. */
  function beforeSecondPart(meanwhile: () => Promise<unknown>): Stores {
    let parts = 0;
    return intercepted(stores, async (_number, name, call) => {
      if (name === 'batches.apply' && (parts += 1) === 2) await meanwhile();
      return call();
    });
  }

  it('is larger for many texters, so that each of its statements moves more conversations', async () => {
    const campaignId = await harness.seedCampaign(130);
    await harness.seedConversations(
      campaignId,
      Array.from({ length: 260 }, () => ({})),
    );
    const operationId = harness.newId('op');
    const request = { kind: 'reassign', operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' } as const;
    const limits = { batchConversationsMax: 20, partMax: 20, short: false } as const;
    const ended = await runToEnd(stores, request, limits);
    expect(ended).toMatchObject({ state: 'done', receipt: { selected: 260, moved: 260, skipped: [] } });
    const [first] = await rawBatches(harness, operationId);
    expect(idsOf(first?.moves ?? [])).toHaveLength(60);
    expect(new Set(Object.values(await harness.loads(campaignId)))).toEqual(new Set([2]));
  });

  it('is cancelled between two parts with exactly what has moved, and nothing moves afterwards', async () => {
    const { request, ids } = await campaignOf(8);
    const clock = { now: () => new Date() };
    const { operationId, campaignId } = request;
    const stopping = beforeSecondPart(() =>
      cancel({ stores, clock, findSent: () => Promise.resolve(undefined) }, { operationId, campaignId }),
    );
    const ended = await runToEnd(stopping, request, IN_PARTS);
    expect(ended).toMatchObject({ state: 'cancelled', receipt: { moved: 3, selected: 3, left: 5 } });
    const moved = await movedIds(request);
    expect(moved.sort()).toEqual(idsOf((await rawBatches(harness, operationId))[0]?.moves ?? []).sort());
    const undo = { kind: 'undo', campaignId, operationId: harness.newId('op'), undoes: operationId } as const;
    expect((await runToEnd(stores, undo))?.receipt?.moved).toBe(3);
    expect(await harness.loads(campaignId)).toEqual({ pool: ids.length });
  });

  it('fails between two parts, and a retry applies the rest', async () => {
    const { request, ids } = await campaignOf(8);
    const { operationId } = request;
    const failing = beforeSecondPart(async () => {
      const error = { code: 'attempts-exhausted', message: 'test', expected: null, received: null };
      await stores.operations.recordError({ operationId }, error);
      const operation = await stores.operations.find(operationId);
      if (operation) await stores.batches.stop(operation);
    });
    const failed = await runToEnd(failing, request, IN_PARTS);
    expect(failed).toMatchObject({ state: 'failed', receipt: { moved: 3, selected: 3 } });
    await harness.context.failures.reopen(operationId);
    const ended = await runToEnd(stores, request, IN_PARTS);
    expect(ended).toMatchObject({ state: 'done', receipt: { moved: ids.length, selected: ids.length } });
    const [batch] = await rawBatches(harness, operationId);
    expect(batch).not.toHaveProperty('unappliedMoves');
    expect(batch).not.toHaveProperty('appliedCount');
  });

  it('changes nothing when its worker continues after the operation has ended', async () => {
    const { request } = await campaignOf(8);
    const late = beforeSecondPart(() => runToEnd(stores, request, IN_PARTS));
    await runToEnd(late, request, IN_PARTS).catch((error: unknown) => {
      if (!(error instanceof Overtaken)) throw error;
    });
    expect((await rawOperation(harness, request.operationId)).receipt).toMatchObject({ moved: 8, selected: 8 });
    const docs = await rawConversations(harness, request.campaignId);
    expect([...docs.values()].map(({ assignmentVersion }) => assignmentVersion)).toEqual(Array(8).fill(1));
  });

  it('counts what changes between two parts once', async () => {
    const { request, ids } = await campaignOf(8);
    const optOut = (): Promise<unknown> =>
      harness.context.database.conversations.updateMany(
        { _id: { $in: ids.slice(2, 6).map((id) => new Types.ObjectId(id)) } },
        { $set: { optedOut: true } },
      );
    const ended = await runToEnd(beforeSecondPart(optOut), request, IN_PARTS);
    const { moved = 0, skipped = [] } = ended?.receipt ?? {};
    expect(ended?.receipt?.selected).toBe(8);
    expect(moved + (skipped[0]?.count ?? 0)).toBe(8);
    expect((await movedIds(request)).length).toBe(moved);
  });

  it('is left after a part when the slice is over, and the next slice goes on with it', async () => {
    const { request, ids } = await campaignOf(8);
    const slice = await oneSlice(stores, request, { ...IN_PARTS, short: true });
    expect(slice.kind).toBe('unfinished');
    const [first] = await rawBatches(harness, request.operationId);
    expect(first).toMatchObject({ state: 'planned', appliedCount: 3 });
    expect(await movedIds(request)).toHaveLength(3);
    const ended = await runToEnd(stores, request, { ...IN_PARTS, short: true });
    expect(ended?.receipt).toMatchObject({ selected: 8, moved: 8, skipped: [] });
    expect(await movedIds(request)).toEqual(ids);
  });

  it('continues after the parts that a dead worker left', async () => {
    const { request, ids } = await campaignOf(8);
    let isDead = false;
    // Not by the number of the call: pages are read while a batch is applied, so the numbers differ from run to run.
    const dying = intercepted(stores, async (_number, name, call) => {
      if (isDead) throw new ProcessDied(name);
      const result = await call();
      if (name !== 'batches.apply') return result;
      isDead = true;
      throw new ProcessDied(name);
    });
    await expect(runToEnd(dying, request, IN_PARTS)).rejects.toThrow(ProcessDied);
    expect((await rawBatches(harness, request.operationId))[0]).toMatchObject({ state: 'planned', appliedCount: 3 });
    const ended = await runToEnd(stores, request, IN_PARTS);
    expect(ended?.receipt).toMatchObject({ moved: ids.length, selected: ids.length });
  });

  it('moves each conversation once beside a program that updates the same conversations all the time', async () => {
    const { request, ids } = await campaignOf(400);
    const { conversations } = harness.context.database;
    const writer = { isOver: false };
    let writes = 0;
    const writing = (async () => {
      while (!writer.isOver) {
        const _id = new Types.ObjectId(ids[Math.floor(Math.random() * ids.length)]);
        await conversations.updateOne({ _id }, { $set: { status: 'closed', waitingSince: new Date() } });
        if ((writes += 1) % 50 === 0)
          await conversations.updateMany({ campaignId: request.campaignId }, { $inc: { 'test.touched': 1 } });
        await delay(1);
      }
    })();
    const ended = await runToEnd(stores, request, { batchConversationsMax: 200, short: false });
    writer.isOver = true;
    await writing;
    expect(writes).toBeGreaterThan(0);
    expect(ended?.receipt).toMatchObject({ moved: ids.length, selected: ids.length, skipped: [] });
  });
});
