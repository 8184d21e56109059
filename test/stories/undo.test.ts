import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness, type Seeded } from '../support/harness.ts';
import { blockMoves } from '../support/blocked-conversation.ts';
import { rawBatches, rawConversations, rawOperation } from '../support/raw.ts';
import { accept } from '../../src/operations/lifecycle.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const CONVERSATIONS = 300;
const BATCH = 10;
/** Shorter than the delay of a snoozed job, so that the result must come from a wake-up. */
const SOON = { waitMs: 15_000 };
/** Generous, because several processes start at the same time. */
const TIMEOUT_MS = 180_000;

const pool = (count: number): Seeded[] =>
  Array.from({ length: count }, (_, at) => ({ waitedMs: (1_000 - at) * 1_000 }));

describe('an undo that is sent to the queue', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open({ batchConversationsMax: BATCH, batchesInFlightMax: 2, sliceMs: 50 });
    await harness.startWorker();
  });
  afterAll(() => harness.close());

  const newIds = (campaignId: string) => ({ operationId: harness.newId('op'), campaignId });

  async function reassigned(campaignId: string, fields: { count?: number } = {}): Promise<string> {
    const all = { ...newIds(campaignId), from: 'pool', to: 'everyone', status: 'any' } as const;
    await (await harness.producer.reassign({ ...all, ...fields })).result();
    return all.operationId;
  }

  it('moves everything back once, even when it is sent twice', async () => {
    const campaignId = await harness.seedCampaign(3);
    await harness.seedConversations(campaignId, pool(CONVERSATIONS));
    const request = { ...newIds(campaignId), undoes: await reassigned(campaignId), reason: 'wrong day' };
    const sent = await Promise.all([harness.producer.undo(request), harness.producer.undo(request)]);
    const results = await Promise.all(sent.map((each) => each.result()));
    expect(results.map(({ outcome }) => outcome).sort()).toEqual(['created', 'exists']);
    expect(results[0]?.receipt).toMatchObject({ selected: CONVERSATIONS, moved: CONVERSATIONS });
    expect(await harness.loads(campaignId)).toEqual({ pool: CONVERSATIONS });
    const { operationId } = request;
    const page = await harness.producer.moves({ operationId, campaignId, limit: CONVERSATIONS - 1 });
    const last = await harness.producer.moves({ operationId, campaignId, after: page.next ?? '' });
    const pages = [...page.conversations, ...last.conversations];
    expect(new Set(pages.map(({ conversationId }) => conversationId)).size).toBe(CONVERSATIONS);
    expect(last).toMatchObject({ state: 'done', next: null, conversations: [{ result: 'moved', to: null }] });
    expect(last.conversations).toEqual([expect.objectContaining({ at: expect.any(Date) as unknown })]);
    const again = harness.producer.undo({ ...request, undoes: 'another' });
    await expect(again).rejects.toMatchObject({ code: 'operation-conflict' });
  });

  it('waits for the campaign lock, and can undo a cancelled operation', async () => {
    const campaignId = await harness.seedCampaign(3);
    const ids = await harness.seedConversations(campaignId, pool(CONVERSATIONS));
    const undone = await reassigned(campaignId, { count: 50 });
    const block = await blockMoves(harness, ids[105] ?? '');
    const running = { ...newIds(campaignId), from: 'pool', to: 'everyone', status: 'any' } as const;
    const sent = await harness.producer.reassign(running);
    await until('the operation to run', async () => (await rawBatches(harness, running.operationId)).length >= 5);
    const undo = await harness.producer.undo({ ...newIds(campaignId), undoes: undone });
    const { operations } = harness.context.database;
    await until('the undo to wait', () => operations.findOne({ _id: undo.operationId, state: 'accepted' }));
    const cancelling = harness.producer.cancel({ operationId: running.operationId, campaignId });
    await until(
      'the cancellation to be recorded',
      async () => (await rawOperation(harness, running.operationId)).cancellation,
    );
    await block.remove();
    const { receipt } = await cancelling;
    expect(await sent.result(SOON)).toMatchObject({ state: 'cancelled', receipt });
    expect((await undo.result(SOON)).receipt).toMatchObject({ moved: 50, skipped: [] });
    expect(await harness.loads(campaignId)).toMatchObject({ pool: CONVERSATIONS - receipt.moved });
    const last = await harness.producer.undo({ ...newIds(campaignId), undoes: running.operationId });
    expect((await last.result()).receipt).toMatchObject({ moved: receipt.moved, skipped: [] });
    expect(await harness.loads(campaignId)).toEqual({ pool: CONVERSATIONS });
  });

  it('serves waiting claims with the conversations that it moves back to the pool', async () => {
    const campaignId = await harness.seedCampaign(2, { selfAssign: { enabled: true } });
    await harness.seedConversations(campaignId, pool(4));
    const undoes = await reassigned(campaignId);
    const claimId = harness.newId('cl');
    const claim = await harness.producer.selfAssign({
      operationId: claimId,
      campaignId,
      texterId: 't1',
      count: 3,
      waitMs: 3_600_000,
    });
    await until('the claim to wait', () => harness.isWaiting(claimId));
    await (await harness.producer.undo({ ...newIds(campaignId), undoes })).result();
    const { conversationIds } = await claim.result(SOON);
    expect(conversationIds).toHaveLength(3);
    await (await harness.producer.undo({ ...newIds(campaignId), undoes: claimId })).result();
    expect(await harness.loads(campaignId)).toEqual({ pool: 4 });
  });

  it('may be sent again under its id after a refusal, and runs once its operation has ended', async () => {
    const campaignId = await harness.seedCampaign(3);
    const ids = await harness.seedConversations(campaignId, pool(CONVERSATIONS));
    const running = { ...newIds(campaignId), from: 'pool', to: 'everyone', status: 'any' } as const;
    const request = { ...newIds(campaignId), undoes: running.operationId };
    const undo = async () => (await harness.producer.undo(request)).result();
    await expect(undo()).rejects.toMatchObject({ code: 'unknown-operation' });
    const block = await blockMoves(harness, ids[105] ?? '');
    const sent = await harness.producer.reassign(running);
    await until('the operation to run', async () => (await rawBatches(harness, running.operationId)).length >= 5);
    for (let time = 1; time <= 2; time += 1) await expect(undo()).rejects.toMatchObject({ code: 'operation-running' });
    await block.remove();
    await sent.result();
    expect(await undo()).toMatchObject({ outcome: 'created', receipt: { moved: CONVERSATIONS, skipped: [] } });
    expect(await undo()).toMatchObject({ outcome: 'exists', receipt: { moved: CONVERSATIONS } });
    expect(await harness.loads(campaignId)).toEqual({ pool: CONVERSATIONS });
    const other = harness.producer.undo({ ...request, undoes: 'another' });
    await expect(other).rejects.toMatchObject({ code: 'operation-conflict' });
  });

  it('keeps its refusal until it is sent again, even when the refused job runs again', async () => {
    const campaignId = await harness.seedCampaign(1);
    const [id = ''] = await harness.seedConversations(campaignId, pool(1));
    const move = { ...newIds(campaignId), conversationId: id, to: { texterIds: ['t1'] as [string] } };
    const request = { ...newIds(campaignId), undoes: move.operationId };
    const sent = await harness.producer.undo(request);
    await expect(sent.result()).rejects.toMatchObject({ code: 'unknown-operation' });
    await (await harness.producer.reassignOne(move)).result();
    const operation = await harness.context.stores.operations.find(request.operationId);
    if (!operation) throw new Error('the undo is not stored');
    const { requestHash, createdBySendId: sendId } = operation;
    const command = { request: operation.request, requestHash, sendId };
    expect((await accept(harness.context, command)).operation).toMatchObject({ state: 'failed' });
    const again = await accept(harness.context, { ...command, sendId: 'again' });
    expect(again.operation).toMatchObject({ state: 'accepted' });
  });

  it('is refused when the operation does not exist, and is not sent when its id is not allowed', async () => {
    const campaignId = await harness.seedCampaign(1);
    const sent = await harness.producer.undo({ ...newIds(campaignId), undoes: 'unknown' });
    await expect(sent.result()).rejects.toMatchObject({ code: 'unknown-operation' });
    const bad = harness.producer.undo({ ...newIds(campaignId), undoes: 'no spaces' });
    await expect(bad).rejects.toMatchObject({ code: 'bad-request' });
  });
});

describe('an undo whose worker process is killed', { timeout: TIMEOUT_MS }, () => {
  it('is continued by the next worker, and moves each conversation back once', async () => {
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
      const all = { operationId: 'reassign', campaignId, from: 'pool', to: 'everyone', status: 'any' } as const;
      await (await harness.producer.reassign(all)).result();
      const block = await blockMoves(harness, ids[105] ?? '');
      const sent = await harness.producer.undo({ operationId: 'undo', campaignId, undoes: 'reassign' });
      const applied = { operationId: 'undo', state: 'applied' } as const;
      await until('some conversations to be moved back', async () => {
        return (await harness.context.database.batches.countDocuments(applied)) >= BATCH;
      });
      await first.kill();
      expect(await rawOperation(harness, 'undo')).toMatchObject({ state: 'running', receipt: null });
      await block.remove();
      await start();
      expect(await sent.result({ waitMs: 50_000 })).toMatchObject({ receipt: { moved: CONVERSATIONS, skipped: [] } });
      for (const { assigneeId, history } of (await rawConversations(harness, campaignId)).values()) {
        expect([assigneeId, ...history.map(({ operationId }) => operationId)]).toEqual([null, 'reassign', 'undo']);
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
