import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failWith } from '../../src/operations/ending.ts';
import type { Operation } from '../../src/operations/operation.ts';
import type { AnyOperation } from '../../src/operations/view-ports.ts';
import { Harness } from '../support/harness.ts';
import { SentCommands } from '../support/sent-commands.ts';
import { cancelWithoutQueue, oneSlice, record, runToEnd } from '../support/run-operation.ts';
import type { BulkInput } from '../support/any-request.ts';

const QUEUED_MAX = 3;

describe('the queue of a campaign', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open({ queuedMax: QUEUED_MAX });
  });
  afterAll(() => harness.close());

  const wanted = (campaignId: string): BulkInput => ({
    kind: 'reassign',
    operationId: harness.newId('op'),
    campaignId,
    from: 'pool',
    to: 'everyone',
    status: 'any',
    count: 1,
  });
  const accept = async (request: BulkInput): Promise<Operation> => record(harness.context.stores, request);
  const REFUSED = { error: { code: 'queue-full', expected: 'fewer than 3 waiting operations' } };

  it('refuses an operation when it is full, and takes it under the same id when an operation has left', async () => {
    const { stores } = harness.context;
    const campaignId = await harness.seedCampaign(2);
    await harness.seedConversations(campaignId, [{}, {}, {}]);
    const waiting: Operation[] = [];
    for (let at = 0; at < QUEUED_MAX; at += 1) waiting.push(await accept(wanted(campaignId)));
    expect(waiting.map(({ error }) => error)).toEqual([null, null, null]);
    const late = wanted(campaignId);
    expect(await oneSlice(stores, late)).toMatchObject({ kind: 'ended', operation: { state: 'failed', ...REFUSED } });
    await cancelWithoutQueue(stores, { operationId: waiting[1]?.operationId ?? '', campaignId });
    expect(await accept(late)).toMatchObject({ state: 'failed' });
    expect(await record(stores, late, 'sent-again')).toMatchObject({ state: 'accepted', error: null });
    expect(await accept(wanted(campaignId))).toMatchObject(REFUSED);
  });

  it('counts no other campaign, no single move, and no operation that runs or has ended', async () => {
    const { stores } = harness.context;
    const [campaignId, other] = [await harness.seedCampaign(2), await harness.seedCampaign(2)];
    const [conversationId = ''] = await harness.seedConversations(campaignId, [{}, {}, {}]);
    for (let at = 0; at < QUEUED_MAX; at += 1) await accept(wanted(other));
    for (let at = 0; at < 2 * QUEUED_MAX; at += 1) {
      const request = wanted(campaignId);
      if (at % 2 === 0) await runToEnd(stores, request);
      else await failWith({ stores, clock: { now: () => new Date() } }, await accept(request), new Error('test'));
    }
    await oneSlice(stores, { ...wanted(campaignId), count: 2 });
    for (let at = 0; at < QUEUED_MAX; at += 1) expect(await accept(wanted(campaignId))).toMatchObject({ error: null });
    const one = { kind: 'unassign-one', operationId: harness.newId('op'), campaignId, conversationId } as const;
    expect(await oneSlice(stores, one)).toMatchObject({ operation: { error: null } });
    expect(await accept(wanted(campaignId))).toMatchObject(REFUSED);
  });

  it('says how many operations run before each one that waits', async () => {
    const { stores, operationViews } = harness.context;
    const campaignId = await harness.seedCampaign(2);
    await harness.seedConversations(campaignId, [{}, {}, {}]);
    const [first, second, third] = [{ ...wanted(campaignId), count: 2 }, wanted(campaignId), wanted(campaignId)];
    for (const request of [first, second, third]) await accept(request);
    const places = async () => {
      const listed = await operationViews.withPlaces(campaignId, await operationViews.listOperations(campaignId, 10));
      const byId = new Map(listed.map(({ operationId, ahead }) => [operationId, ahead]));
      return [first, second, third].map(({ operationId }) => byId.get(operationId));
    };
    expect(await places()).toEqual([0, 1, 2]);
    const [newest, , oldest] = await operationViews.listOperations(campaignId, 10);
    expect(await operationViews.withPlaces(campaignId, [newest, oldest] as AnyOperation[])).toMatchObject([
      { operationId: third.operationId, ahead: 2 },
      { operationId: first.operationId, ahead: 0 },
    ]);
    await oneSlice(stores, first, { batchConversationsMax: 1 });
    expect(await places()).toEqual([undefined, 1, 2]);
    await cancelWithoutQueue(stores, { operationId: second.operationId, campaignId });
    expect(await places()).toEqual([undefined, undefined, 1]);
    await runToEnd(stores, first);
    expect(await places()).toEqual([undefined, undefined, 0]);
  });

  it('counts the queue, and reads none of it, to say the place of one operation', async () => {
    const campaignId = await harness.seedCampaign(2);
    const requests = Array.from({ length: QUEUED_MAX }, () => wanted(campaignId));
    for (const request of requests) await accept(request);
    const sent = await SentCommands.open(harness);
    const commands = await sent.during(async ({ operationViews }) => {
      const [newest] = await operationViews.listOperations(campaignId, 1);
      const placed = await operationViews.withPlaces(campaignId, [newest] as AnyOperation[]);
      expect(placed).toMatchObject([{ operationId: requests.at(-1)?.operationId, ahead: QUEUED_MAX - 1 }]);
    });
    const reads = commands.map((command) => [Object.keys(command)[0], command['limit'] as unknown]);
    await sent.context.close();
    // The list of one operation, the count, and the search for the running one.
    expect(reads.sort()).toEqual([
      ['aggregate', undefined],
      ['find', 1],
      ['find', 1],
    ]);
  });
});
