import { describe, expect, it } from 'vitest';
import type { ConversationDoc } from '../../src/mongo/documents.ts';
import { Harness } from '../support/harness.ts';
import { Obstacle } from '../support/obstacle.ts';
import { ProcessScene, seedPool } from '../support/process-scene.ts';
import { idsOf, rawBatches, rawConversations, rawOperation } from '../support/raw.ts';
import { send, type AnyRequest } from '../support/send.ts';

const CONVERSATIONS = 400;
const SETTINGS = {
  BATON_LOCK_MS: '2000',
  BATON_STALLED_CHECK_MS: '1000',
  BATON_SLICE_MS: '100',
  BATON_BATCH_CONVERSATIONS_MAX: '10',
};
const WAIT = { waitMs: 50_000 };

class Scene extends ProcessScene {
  static async play(act: (scene: Scene) => Promise<void>): Promise<void> {
    const scene = new Scene(await seedPool(await Harness.open(), CONVERSATIONS), SETTINGS);
    try {
      await act(scene);
    } finally {
      await scene.close();
    }
  }

  request(more: { count?: number } = {}): AnyRequest {
    const asked = { operationId: this.harness.newId('op'), campaignId: this.campaignId };
    return { kind: 'reassign', ...asked, from: 'pool', to: 'everyone', status: 'any', ...more };
  }

  /** Nobody gets past this place of the selection until it is cleared. */
  obstacleAt(place: number): Promise<Obstacle> {
    return Obstacle.before(this.harness, this.ids[place] ?? '');
  }

  async expectRunning(operationId: string): Promise<void> {
    expect(await rawOperation(this.harness, operationId)).toMatchObject({ state: 'running', receipt: null });
  }

  /** The first `count` of the selection have moved, once, by this operation, and its receipt says so. */
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

/** Processes take their time to start where many start at once. */
const TIMEOUT_MS = 180_000;

describe.concurrent('a worker process dies in mid-operation', { timeout: TIMEOUT_MS }, () => {
  it('by kill -9, and its heir too: the next one finishes, exactly the count moves, each once, evenly', () =>
    Scene.play(async (scene) => {
      const asked = scene.request({ count: 301 });
      const { operationId } = asked;
      const [one, two] = [await scene.obstacleAt(105), await scene.obstacleAt(205)];
      const first = await scene.start();
      const sent = await send(scene.harness.producer, asked);
      await scene.applied(operationId, 10);
      await first.kill();
      const second = await scene.start();
      await one.clear();
      await scene.applied(operationId, 20);
      await second.kill();
      await scene.expectRunning(operationId);
      await two.clear();
      await scene.start();
      expect(await sent.result(WAIT)).toMatchObject({ outcome: 'created', receipt: { moved: 301 } });
      await scene.expectMovedOnce(operationId, 301);
      expect(await scene.harness.holdings(scene.campaignId)).toEqual({ t1: 76, t2: 75, t3: 75, t4: 75, pool: 99 });
    }));

  it('by kill -9 beside others: one of them takes over, without being told', () =>
    Scene.play(async (scene) => {
      const asked = scene.request();
      const obstacle = await scene.obstacleAt(105);
      const first = await scene.start();
      const sent = await send(scene.harness.producer, asked);
      await scene.applied(asked.operationId, 10);
      await scene.start();
      await first.kill();
      await scene.expectRunning(asked.operationId);
      await obstacle.clear();
      await sent.result(WAIT);
      await scene.expectMovedOnce(asked.operationId, CONVERSATIONS);
      expect(await scene.queue.job(asked.operationId)).toMatchObject({ attemptsMade: 1 });
    }));

  it('by SIGTERM: it finishes the batch in hand, leaves with 0, burns no attempt, and the next one finishes', () =>
    Scene.play(async (scene) => {
      const asked = scene.request();
      const { operationId } = asked;
      const obstacle = await scene.obstacleAt(105);
      const first = await scene.start();
      const sent = await send(scene.harness.producer, asked);
      await scene.applied(operationId, 10);
      await first.tellToStop();
      await obstacle.clear();
      expect(await first.exitCode()).toBe(0);
      await scene.expectRunning(operationId);
      const batches = await rawBatches(scene.harness, operationId);
      expect(batches.filter(({ state }) => state !== 'applied')).toEqual([]);
      expect(await scene.queue.job(operationId)).toMatchObject({ attemptsMade: 0, stalledCounter: 0 });
      await scene.start();
      await sent.result(WAIT);
      await scene.expectMovedOnce(operationId, CONVERSATIONS);
      expect(await scene.queue.job(operationId)).toMatchObject({ attemptsMade: 1, stalledCounter: 0 });
    }));

  it('and Redis loses everything: sent again, the operation goes on where the ledger has it', () =>
    Scene.play(async (scene) => {
      const asked = scene.request();
      const obstacle = await scene.obstacleAt(105);
      const first = await scene.start();
      await send(scene.harness.producer, asked);
      await scene.applied(asked.operationId, 10);
      await first.kill();
      await scene.queue.queue.obliterate({ force: true });
      await obstacle.clear();
      await scene.start();
      const again = await send(scene.harness.producer, asked);
      expect(await again.result(WAIT)).toMatchObject({ outcome: 'exists', receipt: { moved: CONVERSATIONS } });
      await scene.expectMovedOnce(asked.operationId, CONVERSATIONS);
    }));
});
