import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness, type Seeded } from '../support/harness.ts';
import { blockMoves } from '../support/blocked-conversation.ts';
import { rawBatches, rawConversations, rawOperation } from '../support/raw.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const CONVERSATIONS = 300;
const BATCH = 10;
/** Less than the half minute after which a snoozed job would look by itself. */
const SOON = { waitMs: 15_000 };
/** Processes take their time to start where many start at once. */
const TIMEOUT_MS = 180_000;

const pool = (count: number): Seeded[] =>
  Array.from({ length: count }, (_, at) => ({ waitedMs: (1_000 - at) * 1_000 }));

describe('undoing through the queue', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open({ batchConversationsMax: BATCH, batchesInFlightMax: 2, sliceMs: 50 });
    await harness.startWorker();
  });
  afterAll(() => harness.close());

  const asked = (campaignId: string) => ({ operationId: harness.newId('op'), campaignId });

  async function dealt(campaignId: string, more: { count?: number } = {}): Promise<string> {
    const all = { ...asked(campaignId), from: 'pool', to: 'everyone', status: 'any' } as const;
    await (await harness.producer.reassign({ ...all, ...more })).result();
    return all.operationId;
  }

  it('gives everything back once, however often it is sent', async () => {
    const campaignId = await harness.seedCampaign(3);
    await harness.seedConversations(campaignId, pool(CONVERSATIONS));
    const request = { ...asked(campaignId), undoes: await dealt(campaignId), reason: 'wrong day' };
    const sent = await Promise.all([harness.producer.undo(request), harness.producer.undo(request)]);
    const results = await Promise.all(sent.map((each) => each.result()));
    expect(results.map(({ outcome }) => outcome).sort()).toEqual(['created', 'exists']);
    expect(results[0]?.receipt).toMatchObject({ selected: CONVERSATIONS, moved: CONVERSATIONS });
    expect(await harness.loads(campaignId)).toEqual({ pool: CONVERSATIONS });
    const again = harness.producer.undo({ ...request, undoes: 'another' });
    await expect(again).rejects.toMatchObject({ code: 'operation-conflict' });
  });

  it('waits for its campaign’s turn, and takes back what a cancelled operation had moved', async () => {
    const campaignId = await harness.seedCampaign(3);
    const ids = await harness.seedConversations(campaignId, pool(CONVERSATIONS));
    const undone = await dealt(campaignId, { count: 50 });
    const block = await blockMoves(harness, ids[105] ?? '');
    const running = { ...asked(campaignId), from: 'pool', to: 'everyone', status: 'any' } as const;
    const sent = await harness.producer.reassign(running);
    await until('it to run', async () => (await rawBatches(harness, running.operationId)).length >= 5);
    const undo = await harness.producer.undo({ ...asked(campaignId), undoes: undone });
    const { operations } = harness.context.database;
    await until('the undo to wait', () => operations.findOne({ _id: undo.operationId, state: 'accepted' }));
    const cancelling = harness.producer.cancel({ operationId: running.operationId, campaignId });
    await until('the cancel to be noted', async () => (await rawOperation(harness, running.operationId)).cancellation);
    await block.remove();
    const { receipt } = await cancelling;
    expect(await sent.result(SOON)).toMatchObject({ state: 'cancelled', receipt });
    expect((await undo.result(SOON)).receipt).toMatchObject({ moved: 50, skipped: [] });
    expect(await harness.loads(campaignId)).toMatchObject({ pool: CONVERSATIONS - receipt.moved });
    const last = await harness.producer.undo({ ...asked(campaignId), undoes: running.operationId });
    expect((await last.result()).receipt).toMatchObject({ moved: receipt.moved, skipped: [] });
    expect(await harness.loads(campaignId)).toEqual({ pool: CONVERSATIONS });
  });

  it('serves the claims that wait for conversations to come back', async () => {
    const campaignId = await harness.seedCampaign(2, { selfAssign: { enabled: true } });
    await harness.seedConversations(campaignId, pool(4));
    const undoes = await dealt(campaignId);
    const claimId = harness.newId('cl');
    const claim = await harness.producer.selfAssign({
      operationId: claimId,
      campaignId,
      texterId: 't1',
      count: 3,
      waitMs: 3_600_000,
    });
    await until('it to wait', () => harness.isWaiting(claimId));
    await (await harness.producer.undo({ ...asked(campaignId), undoes })).result();
    const { conversationIds } = await claim.result(SOON);
    expect(conversationIds).toHaveLength(3);
    await (await harness.producer.undo({ ...asked(campaignId), undoes: claimId })).result();
    expect(await harness.loads(campaignId)).toEqual({ pool: 4 });
  });

  it('is refused for what it cannot undo, and sends nothing that cannot be', async () => {
    const campaignId = await harness.seedCampaign(1);
    const sent = await harness.producer.undo({ ...asked(campaignId), undoes: 'nothing' });
    await expect(sent.result()).rejects.toMatchObject({ code: 'unknown-operation' });
    const bad = harness.producer.undo({ ...asked(campaignId), undoes: 'no spaces' });
    await expect(bad).rejects.toMatchObject({ code: 'bad-request' });
  });
});

describe('a worker process dies in the middle of an undo', { timeout: TIMEOUT_MS }, () => {
  it('by kill -9: the next one finishes, and each conversation goes back once', async () => {
    const harness = await Harness.open();
    const workers: WorkerProcess[] = [];
    const start = async (): Promise<WorkerProcess> => {
      const settings = { BATON_LOCK_MS: '2000', BATON_STALLED_CHECK_MS: '1000', BATON_SLICE_MS: '100' };
      const worker = await WorkerProcess.start(harness, { ...settings, BATON_BATCH_CONVERSATIONS_MAX: String(BATCH) });
      workers.push(worker);
      return worker;
    };
    try {
      const campaignId = await harness.seedCampaign(4);
      const ids = await harness.seedConversations(campaignId, pool(CONVERSATIONS));
      const first = await start();
      const all = { operationId: 'deal', campaignId, from: 'pool', to: 'everyone', status: 'any' } as const;
      await (await harness.producer.reassign(all)).result();
      const block = await blockMoves(harness, ids[105] ?? '');
      const sent = await harness.producer.undo({ operationId: 'undo', campaignId, undoes: 'deal' });
      const applied = { operationId: 'undo', state: 'applied' } as const;
      await until('some of it to be given back', async () => {
        return (await harness.context.database.batches.countDocuments(applied)) >= BATCH;
      });
      await first.kill();
      expect(await rawOperation(harness, 'undo')).toMatchObject({ state: 'running', receipt: null });
      await block.remove();
      await start();
      expect(await sent.result({ waitMs: 50_000 })).toMatchObject({ receipt: { moved: CONVERSATIONS, skipped: [] } });
      for (const { assigneeId, history } of (await rawConversations(harness, campaignId)).values()) {
        expect([assigneeId, ...history.map(({ operationId }) => operationId)]).toEqual([null, 'deal', 'undo']);
      }
      const batches = await rawBatches(harness, 'undo');
      expect(batches.map(({ number }) => number)).toEqual(batches.map((_, at) => at + 1));
      expect(batches.map(({ state }) => state)).toEqual([...batches.slice(1).map(() => 'applied'), 'end-marker']);
    } finally {
      await Promise.all(workers.map((worker) => worker.kill()));
      await harness.close();
    }
  });
});
