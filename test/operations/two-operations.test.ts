import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness, type Seeded } from '../support/harness.ts';
import { callsOf, runBeforeCall } from '../support/intercepted-stores.ts';
import { oneSlice, runToEnd } from '../support/run-operation.ts';
import { rawOperations } from '../support/raw.ts';
import type { AnyRequest } from '../support/any-request.ts';

const POOL: readonly Seeded[] = Array.from({ length: 12 }, (_, at) => ({ waitedMs: (12 - at) * 1_000 }));
const AT_ONCE = 4;
/** Store calls that only the operation with the campaign lock makes. Another operation cannot interfere there. */
const WORK = ['conversations.readPage', 'batches.insert', 'batches.apply', 'batches.recent', 'batches.shortfalls'];
/** Generous, because many tests run at the same time. */
const TIMEOUT_MS = 180_000;
const SMALL = { batchConversationsMax: 2 };

type Reassign = AnyRequest & { kind: 'reassign' };

/** Before each step of one operation, another operation of the campaign runs as far as it can. */
describe('two operations of one campaign that run at the same time', { timeout: TIMEOUT_MS }, () => {
  let harness: Harness;

  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  const deal = (campaignId: string, more: Partial<Reassign> = {}): Reassign => ({
    kind: 'reassign',
    operationId: harness.newId('op'),
    campaignId,
    from: 'pool',
    to: 'everyone',
    status: 'any',
    ...more,
  });

  async function seed(texters: number): Promise<string> {
    const campaignId = await harness.seedCampaign(texters);
    await harness.seedConversations(campaignId, POOL);
    return campaignId;
  }

  interface Meeting {
    readonly texters: number;
    /** The operation that is interrupted before each of its steps. */
    readonly first: Partial<Reassign>;
    /** The operation that interrupts it. */
    readonly second: Partial<Reassign>;
    /** True when the second operation has started before the first is accepted. */
    readonly isUnderWay?: boolean;
  }

  /** Runs both operations on a campaign of its own for each step, and then calls `check`. */
  async function meet(of: Meeting, check: (campaignId: string, step: number) => Promise<void>): Promise<void> {
    const { stores } = harness.context;
    const alone = deal(await seed(of.texters), of.first);
    const calls = await callsOf(stores, (recorded) => runToEnd(recorded, alone, SMALL));
    const meeting = async (step: number): Promise<void> => {
      const campaignId = await seed(of.texters);
      const [first, second] = [deal(campaignId, of.first), deal(campaignId, of.second)];
      if (of.isUnderWay) await oneSlice(stores, second, SMALL);
      const interrupted = runBeforeCall(stores, step, async () => void (await runToEnd(stores, second, SMALL)));
      // The end of an operation wakes the one that waits.
      await runToEnd(interrupted, first, SMALL);
      await runToEnd(stores, second, SMALL);
      await runToEnd(stores, first, SMALL);
      await check(campaignId, step);
    };
    const steps = calls.flatMap((name, index) => (WORK.includes(name) ? [] : [index + 1]));
    for (let at = 0; at < steps.length; at += AT_ONCE) await Promise.all(steps.slice(at, at + AT_ONCE).map(meeting));
  }

  async function expectOneAfterTheOther(campaignId: string): Promise<void> {
    const [earlier, later] = await rawOperations(harness, campaignId);
    expect([earlier?.state, later?.state]).toEqual(['done', 'done']);
    expect(later?.startedAt?.getTime()).toBeGreaterThanOrEqual(earlier?.endedAt?.getTime() ?? Infinity);
  }

  it('run one after the other in the order accepted, and the remainder goes to other texters each time', async () => {
    await meet({ texters: 3, first: { count: 4 }, second: { count: 4 } }, async (campaignId, step) => {
      await expectOneAfterTheOther(campaignId);
      await runToEnd(harness.context.stores, deal(campaignId, { count: 4 }));
      expect(await harness.loads(campaignId), `step ${step}`).toEqual({ t1: 4, t2: 4, t3: 4 });
    });
  });

  it('give the second remainder to texters who did not get the first', async () => {
    const counts = { first: { count: 4 }, second: { count: 4 } };
    await meet({ texters: 3, ...counts, isUnderWay: true }, async (campaignId, step) => {
      await expectOneAfterTheOther(campaignId);
      expect(Object.values(await harness.loads(campaignId)).sort(), `step ${step}`).toEqual([2, 3, 3, 4]);
    });
  });

  it('level the loads that the running operation leaves', async () => {
    const second = { count: 4, to: { texterIds: ['t1'] } };
    await meet({ texters: 2, first: { spread: 'level' }, second, isUnderWay: true }, async (campaignId, step) => {
      expect(await harness.loads(campaignId), `step ${step}`).toEqual({ t1: 6, t2: 6 });
    });
  });

  it('get distinct sequence numbers when twelve are accepted at once, and run in that order', async () => {
    const campaignId = await seed(5);
    const requests = Array.from({ length: 12 }, () => deal(campaignId, { count: 1 }));
    const { stores } = harness.context;
    await Promise.all(requests.map((request) => oneSlice(stores, request)));
    const byNumber = (await rawOperations(harness, campaignId)).map(({ _id }) => _id);
    // Only the first operation that has not ended can run, whichever is called.
    for (const operationId of byNumber) {
      for (const request of requests) if (request.operationId !== operationId) await oneSlice(stores, request);
    }
    for (const request of requests) await runToEnd(stores, request);
    const operations = await rawOperations(harness, campaignId);
    expect(operations.map(({ sequence }) => sequence)).toEqual(requests.map((_, at) => at + 1));
    for (const [at, operation] of operations.entries()) {
      if (at === 0) continue;
      expect(operation.startedAt?.getTime()).toBeGreaterThanOrEqual(operations[at - 1]?.endedAt?.getTime() ?? Infinity);
    }
    const shares = Object.values(await harness.loads(campaignId)).sort();
    expect(shares).toEqual([2, 2, 2, 3, 3]);
  });
});
