import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Refusal } from '../../src/domain/errors.ts';
import { cancelQueued, findQueued, type CancelledQueue } from '../../src/operations/cancel-queued.ts';
import { failWith } from '../../src/operations/ending.ts';
import type { Operation } from '../../src/operations/operation.ts';
import { Harness } from '../support/harness.ts';
import { rawBatches, rawOperation } from '../support/raw.ts';
import { oneSlice, record, runToEnd } from '../support/run-operation.ts';
import { until } from '../support/until.ts';

/** More than one transaction cancels. */
const MANY = 450;
/** The first slice moves two of three conversations. */
const ONE_BATCH = { batchConversationsMax: 2, batchesInFlightMax: 1 };
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
  const seed = async (): Promise<string> => {
    const campaignId = await harness.seedCampaign(2);
    await harness.seedConversations(
      campaignId,
      Array.from({ length: 12 }, () => ({})),
    );
    return campaignId;
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

  it('answers the producer with their number, and every sender that its operation was cancelled', async () => {
    const campaignId = await seed();
    // It has the campaign lock, and no job that runs it.
    await oneSlice(harness.context.stores, { ...wanted(campaignId), count: 12 }, ONE_BATCH);
    await harness.startWorker();
    const sent = await Promise.all(
      Array.from({ length: 30 }, () => {
        const { kind, ...request } = wanted(campaignId);
        return harness.producer.reassign(request);
      }),
    );
    await until('the operations to be accepted', async () => {
      const { database } = harness.context;
      return (await database.operations.countDocuments({ campaignId, state: 'accepted' })) === sent.length;
    });
    const cancel = () => harness.producer.cancelQueued({ campaignId, actorId: 'a_lead' }, SOON);
    expect(await cancel()).toEqual({ campaignId, cancelled: 30 });
    const results = await Promise.all(sent.map((each) => each.result(SOON)));
    expect(new Set(results.map(({ state }) => state))).toEqual(new Set(['cancelled']));
    expect(await cancel()).toEqual({ campaignId, cancelled: 0 });
    await expect(harness.producer.cancelQueued({ campaignId: 'c_none' }, SOON)).rejects.toMatchObject({
      code: 'unknown-campaign',
    });
  });
});
