import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setActive } from '../../src/campaigns/index.ts';
import { objectIds } from '../../src/mongo/documents.ts';
import { Harness, many } from '../support/harness.ts';
import { Random } from '../support/random.ts';
import { rawConversations } from '../support/raw.ts';
import { pauseReconcile } from '../support/raw-queue.ts';
import { oneSlice, runToEnd } from '../support/run-operation.ts';
import { until } from '../support/until.ts';

const SMALL_BATCHES = { batchConversationsMax: 20, batchesInFlightMax: 2 };
const STATUSES = ['needs-reply', 'not-started', 'in-progress', 'awaiting-contact', 'closed'] as const;
const ROUNDS = 3;

describe('an operation on all conversations', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open(SMALL_BATCHES);
    await pauseReconcile(harness);
    await harness.startWorker(SMALL_BATCHES);
  });
  afterAll(() => harness.close());

  async function assignedTo(campaignId: string, isMeant: (assigneeId: string | null) => boolean): Promise<number> {
    return [...(await rawConversations(harness, campaignId)).values()].filter((doc) => isMeant(doc.assigneeId)).length;
  }

  it('leaves nothing behind when contacts reply at random while it runs', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const random = new Random(round);
      const campaignId = await harness.seedCampaign(3);
      const seeded = Array.from({ length: 900 }, () => ({
        assigneeId: `t${random.between(1, 3)}`,
        status: random.pick(STATUSES),
      }));
      const ids = objectIds(await harness.seedConversations(campaignId, seeded));
      const request = { operationId: harness.newId('op'), campaignId, from: 'everyone', status: 'any' } as const;
      const sent = await harness.producer.unassign({ ...request, confirm: ids.length });
      const over = new AbortController();
      const ended = sent.result().finally(() => over.abort());
      const { conversations } = harness.context.database;
      while (!over.signal.aborted) {
        await conversations.updateOne({ _id: random.pick(ids) }, { $set: { status: random.pick(STATUSES) } });
      }
      expect((await ended).receipt).toMatchObject({ selected: 900, moved: 900, left: null, skipped: [] });
      expect(await assignedTo(campaignId, (assigneeId) => assigneeId !== null)).toBe(0);
    }
  });

  it('deals the share of a texter who is paused meanwhile to the other texters', async () => {
    const campaignId = await harness.seedCampaign(4);
    await harness.seedConversations(campaignId, many(600));
    const request = { operationId: harness.newId('op'), campaignId, from: 'pool', to: 'everyone' } as const;
    const sent = await harness.producer.reassign({ ...request, status: 'any' });
    await until('the first batch', async () => (await assignedTo(campaignId, (id) => id !== null)) > 0);
    await setActive(harness.context, campaignId, 't2', false);
    expect((await sent.result()).receipt).toMatchObject({ selected: 600, moved: 600, skipped: [] });
    expect(await assignedTo(campaignId, (id) => id === null)).toBe(0);
  });

  it('empties the pool when it is retried after all its targets were paused', async () => {
    const { stores, failures } = harness.context;
    const campaignId = await harness.seedCampaign(2);
    await harness.seedConversations(campaignId, many(100));
    const id = { operationId: harness.newId('op'), campaignId } as const;
    const request = { kind: 'reassign', ...id, from: 'pool', to: 'everyone', status: 'any', spread: 'even' } as const;
    await oneSlice(stores, request, SMALL_BATCHES);
    for (const texterId of ['t1', 't2']) await setActive(harness.context, campaignId, texterId, false);
    expect(await runToEnd(stores, request)).toMatchObject({ state: 'failed', error: { code: 'targets-lost' } });
    await setActive(harness.context, campaignId, 't1', true);
    await failures.reopen(id.operationId);
    expect(await runToEnd(stores, request)).toMatchObject({ state: 'done', receipt: { moved: 100, skipped: [] } });
    expect(await assignedTo(campaignId, (assigneeId) => assigneeId === null)).toBe(0);
  });

  it('from everyone to everyone leaves nothing in the pool when contacts reply while it runs', async () => {
    const { stores, database } = harness.context;
    const campaignId = await harness.seedCampaign(3);
    await harness.seedConversations(campaignId, many(30, { status: 'needs-reply' }));
    const ids = await harness.seedConversations(campaignId, many(30, { status: 'awaiting-contact' }));
    const id = { operationId: harness.newId('op'), campaignId } as const;
    const request = { kind: 'reassign', ...id, from: 'everyone', to: 'everyone', status: 'any' } as const;
    // The first slices have read the status to which the contacts move.
    for (let slice = 0; slice < 2; slice += 1) await oneSlice(stores, request, { batchConversationsMax: 20 });
    const replied = { _id: { $in: objectIds(ids.slice(-5)) } };
    await database.conversations.updateMany(replied, { $set: { status: 'needs-reply', waitingSince: new Date(0) } });
    expect(await runToEnd(stores, request)).toMatchObject({ state: 'done', receipt: { moved: 60, left: null } });
    expect(await harness.loads(campaignId)).toEqual({ t1: 20, t2: 20, t3: 20 });
  });

  it('moves what comes to its sources while it runs, never more than was confirmed, and reports the rest', async () => {
    const { stores } = harness.context;
    const campaignId = await harness.seedCampaign(1);
    await harness.seedConversations(campaignId, many(50, { assigneeId: 't1', status: 'closed' }));
    const id = { operationId: harness.newId('op'), campaignId } as const;
    const request = { kind: 'unassign', ...id, from: 'everyone', status: 'any', confirm: 55 } as const;
    await oneSlice(stores, request, SMALL_BATCHES);
    await harness.seedConversations(campaignId, many(8, { assigneeId: 't1', status: 'needs-reply' }));
    expect(await runToEnd(stores, request)).toMatchObject({ state: 'done', receipt: { moved: 55, left: 3 } });
    expect(await harness.loads(campaignId)).toEqual({ t1: 3, pool: 55 });
  });
});
