import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Context } from '../../src/context.ts';
import { requestHash } from '../../src/domain/requests.ts';
import { parseRequest, QueuedLoads, runOperation, type OperationRequest } from '../../src/operations/index.ts';
import { Harness, many } from '../support/harness.ts';
import { record } from '../support/run-operation.ts';
import { SentCommands } from '../support/sent-commands.ts';
import { until } from '../support/until.ts';

const OPEN_MAX = 3;
const GIVEN = 2;

let harness: Harness;
let commands: SentCommands;
beforeAll(async () => {
  harness = await Harness.open();
  commands = await SentCommands.open(harness);
});
afterAll(async () => {
  await commands.context.close();
  await harness.close();
});

const seed = async (): Promise<string> => {
  const campaignId = await harness.seedCampaign(2, { selfAssign: { enabled: true, openMax: OPEN_MAX } });
  await harness.seedConversations(campaignId, many(30));
  return campaignId;
};

const toKevin = (campaignId: string, more: object = {}): OperationRequest => {
  const base = { kind: 'reassign', operationId: harness.newId('op'), campaignId, from: 'pool', status: 'any' };
  return parseRequest({ ...base, to: { texterIds: ['t1'] }, count: GIVEN, ...more });
};

function several(count: number, campaignId: string, more: object = {}): OperationRequest[] {
  return Array.from({ length: count }, () => toKevin(campaignId, more));
}

/** Runs an operation to its end, and returns how many conversations its receipt counts for each texter past the limit. */
async function run(context: Context, request: OperationRequest, loads: QueuedLoads): Promise<Record<string, number>> {
  const limits = { batchConversationsMax: 100, batchesInFlightMax: 2 };
  const command = { request, requestHash: requestHash(request), sendId: 'test' };
  const { operation } = await runOperation(context, command, { limits, loads, shouldStop: () => false });
  const { overLimit = [] } = operation.receipt ?? {};
  return Object.fromEntries(overLimit.map(({ texterId, count }) => [texterId, count]));
}

const isCount = ({ aggregate, pipeline }: { aggregate?: unknown; pipeline?: unknown }): boolean =>
  aggregate === 'conversations' && JSON.stringify(pipeline).includes('"t1"');

afterEach(() => void vi.restoreAllMocks());

describe('the loads of texters, for operations that wait in one queue', () => {
  it('are counted once in a second, and each receipt has the number after its own moves', async () => {
    const campaignId = await seed();
    const requests = several(6, campaignId);
    for (const request of requests) await record(harness.context.stores, request);
    const loads = new QueuedLoads();
    const numbers: (number | undefined)[] = [];
    vi.spyOn(performance, 'now').mockReturnValue(performance.now());
    const sent = await commands.during(async (context) => {
      for (const request of requests) numbers.push((await run(context, request, loads))['t1']);
    });
    expect(numbers).toEqual([undefined, 4, 6, 8, 10, 12]);
    // The first operation counts for itself. The second one counts with and without the contacts who opted out.
    expect(sent.filter(isCount)).toHaveLength(4);
  });

  it('are counted again for an operation that did not wait, and after an operation of another process', async () => {
    const campaignId = await seed();
    const { context } = harness;
    const [first, second] = [toKevin(campaignId), toKevin(campaignId)];
    for (const request of [first, second]) await record(context.stores, request);
    const loads = new QueuedLoads();
    await run(context, first, loads);
    expect(await run(context, second, loads)).toEqual({ t1: 4 });
    await context.database.conversations.updateOne({ campaignId, assigneeId: null }, { $set: { assigneeId: 't1' } });
    const third = toKevin(campaignId);
    expect(await run(context, third, loads)).toEqual({ t1: 7 });
    const rest = several(4, campaignId);
    for (const request of rest) await record(context.stores, request);
    const other = new QueuedLoads();
    const numbers: Record<string, number>[] = [];
    for (const [at, request] of rest.entries()) numbers.push(await run(context, request, at === 2 ? other : loads));
    expect(numbers).toEqual([{ t1: 9 }, { t1: 11 }, { t1: 13 }, { t1: 15 }]);
  });

  it('go down when an operation takes conversations from a texter, and are counted again after a second', async () => {
    const campaignId = await seed();
    const { context } = harness;
    const back = { from: { texterIds: ['t1'] }, to: { texterIds: ['t2'] }, count: 1 };
    const requests = [...several(3, campaignId), ...several(2, campaignId, back), ...several(2, campaignId)];
    for (const request of requests) await record(context.stores, request);
    const loads = new QueuedLoads();
    const now = performance.now();
    const time = vi.spyOn(performance, 'now').mockReturnValue(now);
    const [last, ...others] = requests.reverse();
    const numbers: Record<string, number>[] = [];
    for (const request of others.reverse()) numbers.push(await run(context, request, loads));
    expect(numbers).toEqual([{}, { t1: 4 }, { t1: 6 }, {}, {}, { t1: 6 }]);
    await context.database.conversations.updateOne({ campaignId, assigneeId: null }, { $set: { assigneeId: 't1' } });
    time.mockReturnValue(now + 1_001);
    expect(last && (await run(context, last, loads))).toEqual({ t1: 9 });
  });

  it('are counted again after an unassign, which takes contacts who opted out too', async () => {
    const campaignId = await seed();
    const { context } = harness;
    await harness.seedConversations(campaignId, many(20, { assigneeId: 't1', optedOut: true }));
    const back = { kind: 'unassign', operationId: harness.newId('op'), campaignId, from: { texterIds: ['t1'] } };
    const requests = [
      ...several(2, campaignId),
      parseRequest({ ...back, status: 'any', confirm: 20 + 2 * GIVEN }),
      ...several(3, campaignId),
    ];
    for (const request of requests) await record(context.stores, request);
    const loads = new QueuedLoads();
    const numbers: Record<string, number>[] = [];
    for (const request of requests) numbers.push(await run(context, request, loads));
    expect(numbers).toEqual([{}, { t1: 4 }, {}, {}, { t1: 4 }, { t1: 6 }]);
  });

  it('are counted again after a single move or a claim of the campaign', async () => {
    const campaignId = await seed();
    const { context } = harness;
    const requests = several(4, campaignId);
    for (const request of requests) await record(context.stores, request);
    const loads = new QueuedLoads();
    const numbers: Record<string, number>[] = [];
    for (const [at, request] of requests.entries()) {
      if (at === 3) {
        await context.database.conversations.updateOne(
          { campaignId, assigneeId: 't1' },
          { $set: { assigneeId: null } },
        );
        loads.forget(campaignId);
      }
      numbers.push(await run(context, request, loads));
    }
    expect(numbers).toEqual([{}, { t1: 4 }, { t1: 6 }, { t1: 7 }]);
  });

  it('are no longer shared by a worker after it has served a single move, a claim, or waiting claims', async () => {
    const campaignId = await seed();
    const forget = vi.spyOn(QueuedLoads.prototype, 'forget');
    await harness.startWorker();
    const { producer } = harness;
    const all = { campaignId, from: 'pool', to: { texterIds: ['t1'] }, status: 'any', count: 1 } as const;
    await (await producer.reassign({ operationId: harness.newId('op'), ...all })).result();
    expect(forget).not.toHaveBeenCalled();
    const [conversationId = ''] = await harness.seedConversations(campaignId, many(1));
    const one = { operationId: harness.newId('op'), campaignId, conversationId, to: { texterIds: ['t2'] } } as const;
    await (await producer.reassignOne(one)).result();
    expect(forget.mock.calls).toEqual([[campaignId]]);
    const claim = { operationId: harness.newId('cl'), campaignId, texterId: 't2', count: 1 };
    await (await producer.selfAssign(claim)).result();
    expect(forget.mock.calls).toEqual([[campaignId], [campaignId]]);
    await producer.poolRefilled(campaignId);
    await until('the waiting claims to be served', () => forget.mock.calls.length === 3);
  });
});
