import { describe, expect, it } from 'vitest';
import type { ConversationDoc } from '../../src/mongo/documents.ts';
import { sendRequest } from '../../src/producer/send-many.ts';
import { Harness } from '../support/harness.ts';
import { blockMoves, type Block } from '../support/blocked-conversation.ts';
import { CampaignWithWorkers, seedPool } from '../support/campaign-with-workers.ts';
import { idsOf, rawBatches, rawConversations, rawOperation } from '../support/raw.ts';
import type { AnyRequest } from '../support/any-request.ts';

const CONVERSATIONS = 400;
const SETTINGS = {
  BATON_LOCK_MS: '2000',
  BATON_STALLED_CHECK_MS: '1000',
  BATON_SLICE_MS: '100',
  BATON_BATCH_CONVERSATIONS_MAX: '10',
};
const WAIT = { waitMs: 50_000 };

class CrashTest extends CampaignWithWorkers {
  static async run(act: (test: CrashTest) => Promise<void>): Promise<void> {
    const test = new CrashTest(await seedPool(await Harness.open(), CONVERSATIONS), SETTINGS);
    try {
      await act(test);
    } finally {
      await test.close();
    }
  }

  newRequest(fields: { count?: number } = {}): AnyRequest {
    const ids = { operationId: this.harness.newId('op'), campaignId: this.campaignId };
    return { kind: 'reassign', ...ids, from: 'pool', to: 'everyone', status: 'any', ...fields };
  }

  /** Blocks the operation at this place of the selection. */
  blockAt(place: number): Promise<Block> {
    return blockMoves(this.harness, this.ids[place] ?? '');
  }

  async expectRunning(operationId: string): Promise<void> {
    expect(await rawOperation(this.harness, operationId)).toMatchObject({ state: 'running', receipt: null });
  }

  /** Checks that the first `count` conversations of the selection moved once, and that the receipt says so. */
  async expectMovedOnce(operationId: string, count: number): Promise<void> {
    const docs = await rawConversations(this.harness, this.campaignId);
    const isMoved = ({ assigneeId }: ConversationDoc): boolean => assigneeId !== null;
    const moved = this.ids.filter((id) => isMoved(docs.get(id) as ConversationDoc));
    expect(moved).toEqual(this.ids.slice(0, count));
    for (const id of moved) {
      const { history, assignmentVersion, assigneeId } = docs.get(id) as ConversationDoc;
      expect(history.map((move) => [move.operationId, move.from, move.to])).toEqual([[operationId, null, assigneeId]]);
      expect(assignmentVersion).toBe(1);
    }
    const batches = await rawBatches(this.harness, operationId);
    expect(batches.map(({ state }) => state)).toEqual([...batches.slice(1).map(() => 'applied'), 'end-marker']);
    expect(idsOf(batches.flatMap((batch) => batch.moves)).sort()).toEqual([...moved].sort());
    const { state, receipt } = await rawOperation(this.harness, operationId);
    expect({ state, receipt }).toMatchObject({
      state: 'done',
      receipt: { selected: count, moved: count, skipped: [] },
    });
  }
}

/** Generous, because several processes start at the same time. */
const TIMEOUT_MS = 180_000;

describe.concurrent('an operation whose worker process ends in the middle of it', { timeout: TIMEOUT_MS }, () => {
  it('moves exactly its count, evenly and each conversation once, when two workers in succession are killed', () =>
    CrashTest.run(async (test) => {
      const request = test.newRequest({ count: 301 });
      const { operationId } = request;
      const [one, two] = [await test.blockAt(105), await test.blockAt(205)];
      const first = await test.start();
      const sent = await sendRequest(test.harness.producer, request);
      await test.applied(operationId, 10);
      await first.kill();
      const second = await test.start();
      await one.remove();
      await test.applied(operationId, 20);
      await second.kill();
      await test.expectRunning(operationId);
      await two.remove();
      await test.start();
      expect(await sent.result(WAIT)).toMatchObject({ outcome: 'created', receipt: { moved: 301 } });
      await test.expectMovedOnce(operationId, 301);
      expect(await test.harness.loads(test.campaignId)).toEqual({ t1: 76, t2: 75, t3: 75, t4: 75, pool: 99 });
    }));

  it('is continued by a worker that is already running when its worker is killed', () =>
    CrashTest.run(async (test) => {
      const request = test.newRequest();
      const block = await test.blockAt(105);
      const first = await test.start();
      const sent = await sendRequest(test.harness.producer, request);
      await test.applied(request.operationId, 10);
      await test.start();
      await first.kill();
      await test.expectRunning(request.operationId);
      await block.remove();
      await sent.result(WAIT);
      await test.expectMovedOnce(request.operationId, CONVERSATIONS);
      expect(await test.queue.job(request.operationId)).toMatchObject({ attemptsMade: 1 });
    }));

  it('is continued after SIGTERM, which lets the worker finish its batch, exit with 0 and use no attempt', () =>
    CrashTest.run(async (test) => {
      const request = test.newRequest();
      const { operationId } = request;
      const block = await test.blockAt(105);
      const first = await test.start();
      const sent = await sendRequest(test.harness.producer, request);
      await test.applied(operationId, 10);
      await first.tellToStop();
      await block.remove();
      expect(await first.exitCode()).toBe(0);
      await test.expectRunning(operationId);
      const batches = await rawBatches(test.harness, operationId);
      expect(batches.filter(({ state }) => state !== 'applied')).toEqual([]);
      expect(await test.queue.job(operationId)).toMatchObject({ attemptsMade: 0, stalledCounter: 0 });
      await test.start();
      await sent.result(WAIT);
      await test.expectMovedOnce(operationId, CONVERSATIONS);
      expect(await test.queue.job(operationId)).toMatchObject({ attemptsMade: 1, stalledCounter: 0 });
    }));

  it('continues from the stored batches when it is sent again after Redis has lost its job', () =>
    CrashTest.run(async (test) => {
      const request = test.newRequest();
      const block = await test.blockAt(105);
      const first = await test.start();
      await sendRequest(test.harness.producer, request);
      await test.applied(request.operationId, 10);
      await first.kill();
      await test.queue.queue.obliterate({ force: true });
      await block.remove();
      await test.start();
      const again = await sendRequest(test.harness.producer, request);
      expect(await again.result(WAIT)).toMatchObject({ outcome: 'exists', receipt: { moved: CONVERSATIONS } });
      await test.expectMovedOnce(request.operationId, CONVERSATIONS);
    }));
});
