import type { Job } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Refusal } from '../../src/domain/errors.ts';
import { cancelQueued, findQueued, type CancelledQueue } from '../../src/operations/cancel.ts';
import { failWith } from '../../src/operations/ending.ts';
import { OperationQueue } from '../../src/operations/operation-queue.ts';
import type { Operation } from '../../src/operations/operation.ts';
import { CONTROLS_QUEUE } from '../../src/queue/job.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { CancelQueuedHandler } from '../../workers/cancel-handlers.ts';
import { blockMoves } from '../support/blocked-conversation.ts';
import { Harness, many } from '../support/harness.ts';
import { NO_LIVE } from '../support/no-live.ts';
import { RawQueue } from '../support/raw-queue.ts';
import { rawBatches, rawOperation } from '../support/raw.ts';
import { oneSlice, record, runToEnd } from '../support/run-operation.ts';
import { until } from '../support/until.ts';

/** More than one transaction cancels. */
const MANY = 450;
/** The first slice moves two of three conversations. */
const ONE_BATCH = { batchConversationsMax: 2, batchesInFlightMax: 1 };
/** How many conversations a campaign has. */
const ALL = 12;
const reportProgress = (): void => undefined;
const SOON = { waitMs: 20_000 };

describe('cancelling the operations of a campaign that wait', () => {
  let harness: Harness;
  const clock = { now: () => new Date() };
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  const wanted = (campaignId: string) => ({
    kind: 'reassign' as const,
    operationId: harness.newId('op'),
    campaignId,
    from: 'pool' as const,
    to: 'everyone' as const,
    status: 'any' as const,
    count: 3,
  });
  const seedWithIds = async (): Promise<{ campaignId: string; ids: string[] }> => {
    const campaignId = await harness.seedCampaign(2);
    return { campaignId, ids: await harness.seedConversations(campaignId, many(ALL)) };
  };
  const seed = async (): Promise<string> => (await seedWithIds()).campaignId;
  /** An operation on all conversations cannot end before `act` has ended. */
  const withBlockedCampaign = async <Result>(act: (campaignId: string) => Promise<Result>): Promise<Result> => {
    const { campaignId, ids } = await seedWithIds();
    const block = await blockMoves(harness, ids.at(-1) ?? '');
    return act(campaignId).finally(() => block.remove());
  };
  /** Runs the next request to cancel, as a worker that dies after its first transaction. */
  const dieWhileCancelling = async (): Promise<void> => {
    const context = { ...harness.context, live: NO_LIVE };
    const controls = new RawQueue(harness, CONTROLS_QUEUE);
    const operations = new OperationQueue(controls.redis, harness.config.queue.prefix, () => undefined);
    operations.wake = () => Promise.reject(new Error('the worker dies'));
    const [log, signal] = [createLogger({ level: 'silent' }), new AbortController().signal];
    try {
      const job = await until('the job', async () => (await controls.queue.getWaiting())[0] as Job | undefined);
      const handled = new CancelQueuedHandler(context, operations).handle({ job, log, signal, reportProgress });
      await expect(handled).rejects.toThrow('the worker dies');
    } finally {
      await operations.close();
      await controls.close();
    }
  };
  /** Makes many operations wait: accepting them one after the other would take too long. */
  const queueMany = async (campaignId: string): Promise<string[]> => {
    const { database, stores } = harness.context;
    const { operationId } = await record(stores, wanted(campaignId));
    const doc = await rawOperation(harness, operationId);
    const copies = Array.from({ length: MANY }, (_, at) => ({
      ...doc,
      _id: `${operationId}_${at}`,
      sequence: doc.sequence + 1 + at,
    }));
    await database.operations.insertMany(copies);
    await database.campaigns.updateOne({ _id: campaignId }, { $inc: { operationCount: MANY } });
    return [operationId, ...copies.map(({ _id }) => _id)];
  };
  const deps = () => ({ stores: harness.context.stores, clock });
  const find = async (campaignId: string): Promise<CancelledQueue> => {
    const queue = await findQueued(deps(), { campaignId });
    if (!queue) throw new Error('no operation waits');
    return queue;
  };
  const pagesOf = (campaignId: string, queue: CancelledQueue) =>
    cancelQueued(deps(), { campaignId, actorId: 'a_lead', reason: 'wrong texters' }, queue);
  const cancelAll = async (campaignId: string, queue: CancelledQueue): Promise<readonly Operation[]> => {
    const cancelled: Operation[] = [];
    for await (const page of pagesOf(campaignId, queue)) cancelled.push(...page);
    return cancelled;
  };

  it('leaves the one that runs, and those that were accepted since, also when a worker repeats it after a crash', async () => {
    const { stores } = harness.context;
    const campaignId = await seed();
    const running = wanted(campaignId);
    await oneSlice(stores, running, ONE_BATCH);
    const waiting = await queueMany(campaignId);
    const queue = await find(campaignId);
    const [late, elsewhere] = [wanted(campaignId), wanted(await seed())];
    for (const request of [late, elsewhere]) await record(stores, request);
    // The first worker dies after one transaction.
    const first = (await pagesOf(campaignId, queue).next()) as IteratorYieldResult<readonly Operation[]>;
    const cancelled = await cancelAll(campaignId, queue);
    expect(first.value.length).toBeLessThan(MANY);
    expect(cancelled.map(({ operationId }) => operationId).sort()).toEqual(waiting.sort());
    const [one = ''] = waiting;
    expect(await rawOperation(harness, one)).toMatchObject({
      state: 'cancelled',
      cancellation: { by: 'a_lead', reason: 'wrong texters', at: queue.at },
      receipt: { selected: 0, moved: 0, asked: 3, left: null, shortBecause: 'stopped' },
    });
    expect((await rawBatches(harness, one)).map(({ state }) => state)).toEqual(['end-marker']);
    expect(await cancelAll(campaignId, { ...queue, at: clock.now() })).toEqual([]);
    for (const request of [running, late, elsewhere])
      expect(await runToEnd(stores, request)).toMatchObject({ state: 'done', receipt: { moved: 3 } });
  });

  it('counts what a reopened operation had moved before', async () => {
    const { stores, failures } = harness.context;
    const campaignId = await seed();
    const request = wanted(campaignId);
    const { operation } = await oneSlice(stores, request, ONE_BATCH);
    await failWith(deps(), operation, new Error('test'));
    await failures.reopen(request.operationId);
    const cancelled = await cancelAll(campaignId, await find(campaignId));
    expect(cancelled).toMatchObject([{ state: 'cancelled', receipt: { moved: 2, left: 1 } }]);
  });

  it('refuses an unknown campaign, and finds nothing on a campaign where nothing waits', async () => {
    await expect(findQueued(deps(), { campaignId: 'c_none' })).rejects.toThrow(Refusal);
    const campaignId = await seed();
    await runToEnd(harness.context.stores, wanted(campaignId));
    expect(await findQueued(deps(), { campaignId })).toBeUndefined();
  });

  it('covers the same operations when another worker continues after a crash', async () => {
    const { stores } = harness.context;
    await withBlockedCampaign(async (campaignId) => {
      await oneSlice(stores, { ...wanted(campaignId), count: ALL }, ONE_BATCH);
      const [waiting, late] = [wanted(campaignId), wanted(campaignId)];
      await record(stores, waiting);
      const answer = harness.producer.cancelQueued({ campaignId, actorId: 'a_lead' }, SOON);
      await dieWhileCancelling();
      await record(stores, late);
      await harness.startWorker();
      expect(await answer).toEqual({ campaignId, cancelled: 1 });
      expect(await rawOperation(harness, waiting.operationId)).toMatchObject({ state: 'cancelled' });
      expect(await rawOperation(harness, late.operationId)).toMatchObject({ state: 'accepted' });
    });
  });

  it('answers the producer with their number, and every sender that its operation was cancelled', async () => {
    await harness.startWorker();
    const running = await withBlockedCampaign(async (campaignId) => {
      const send = (count: number) => {
        const { kind, ...request } = wanted(campaignId);
        return harness.producer.reassign({ ...request, count });
      };
      const inState = (state: 'running' | 'accepted') =>
        harness.context.database.operations.countDocuments({ campaignId, state });
      const first = await send(ALL);
      await until('the first operation to run', async () => (await inState('running')) === 1);
      const sent = await Promise.all(Array.from({ length: 30 }, () => send(3)));
      await until('the others to be accepted', async () => (await inState('accepted')) === sent.length);
      const cancel = () => harness.producer.cancelQueued({ campaignId, actorId: 'a_lead' }, SOON);
      expect(await cancel()).toEqual({ campaignId, cancelled: 30 });
      const results = await Promise.all(sent.map((each) => each.result(SOON)));
      expect(new Set(results.map(({ state }) => state))).toEqual(new Set(['cancelled']));
      expect(await cancel()).toEqual({ campaignId, cancelled: 0 });
      return first;
    });
    expect(await running.result(SOON)).toMatchObject({ state: 'done', receipt: { moved: ALL } });
    await expect(harness.producer.cancelQueued({ campaignId: 'c_none' }, SOON)).rejects.toMatchObject({
      code: 'unknown-campaign',
    });
  });
});
