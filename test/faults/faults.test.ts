import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isEnded } from '../../src/domain/operation.ts';
import { Harness } from '../support/harness.ts';
import { Obstacle } from '../support/obstacle.ts';
import { areOwnServicesPossible, OwnServices } from '../support/own-services.ts';
import { oneSlice } from '../support/run-operation.ts';
import { ProcessScene, seedPool } from '../support/process-scene.ts';
import { rawConversations, rawOperation } from '../support/raw.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';
import { emptyRedis } from '../torture/faults.ts';

const CONVERSATIONS = 120;
const SETTINGS = {
  BATON_LOCK_MS: '1000',
  BATON_STALLED_CHECK_MS: '500',
  BATON_SLICE_MS: '100',
  BATON_BATCH_CONVERSATIONS_MAX: '10',
  BATON_CLOSE_TIMEOUT_MS: '2000',
};
const SWEPT = { BATON_RECONCILE_EVERY_MS: '500' };
const CLOSED_WITHIN_MS = 10_000;
const WAIT = { waitMs: 60_000 };
const AT_WRITE = { preload: './test/support/at-write.ts' };
const SKEWED = { preload: './test/support/skewed-clock.ts' };
const FIVE_MINUTES_MS = 300_000;

/** On servers that a test may be cruel to. */
class Scene extends ProcessScene {
  static async play(services: OwnServices | undefined, act: (scene: Scene) => Promise<void>): Promise<void> {
    const selfAssign = { enabled: true, batchMax: 50, openMax: 500 };
    const pool = await seedPool(await Harness.open({}, services), CONVERSATIONS, { selfAssign });
    const scene = new Scene(pool, SETTINGS);
    try {
      await act(scene);
    } finally {
      await scene.close();
    }
  }

  newRequest(): {
    kind: 'reassign';
    operationId: string;
    campaignId: string;
    from: 'pool';
    to: 'everyone';
    status: 'any';
  } {
    const asked = { operationId: this.harness.newId('op'), campaignId: this.campaignId };
    return { kind: 'reassign', ...asked, from: 'pool', to: 'everyone', status: 'any' };
  }

  async expectAllMovedOnce(operationId: string): Promise<void> {
    const docs = await rawConversations(this.harness, this.campaignId);
    const histories = [...docs.values()].map(({ history, assignmentVersion }) => [
      history.map((move) => move.operationId),
      assignmentVersion,
    ]);
    expect(histories).toEqual(histories.map(() => [[operationId], 1]));
    expect(await this.harness.holdings(this.campaignId)).toEqual({ t1: 30, t2: 30, t3: 30, t4: 30 });
    const { state, receipt } = await rawOperation(this.harness, operationId);
    expect([state, receipt?.moved, receipt?.selected]).toEqual(['done', CONVERSATIONS, CONVERSATIONS]);
  }
}

describe('an operation and its worker', { timeout: 120_000 }, () => {
  it('whose event loop stands still past the job’s lock: another runs the job too, and everything moves once', () =>
    Scene.play(undefined, async (scene) => {
      const asked = scene.newRequest();
      const stuck = await scene.start(
        { AT_WRITE: 'update conversations#4:before', AT_WRITE_DO: 'block:4000' },
        AT_WRITE,
      );
      const sent = await scene.harness.producer.reassign(asked);
      await scene.applied(asked.operationId, 3);
      await scene.start();
      expect((await sent.result(WAIT)).receipt.moved).toBe(CONVERSATIONS);
      expect((await scene.queue.job(asked.operationId))?.stalledCounter).toBeGreaterThan(0);
      expect(stuck.hasEnded).toBe(false);
      await scene.expectAllMovedOnce(asked.operationId);
    }));

  it('that is told to stop in mid-batch while Redis is away: it leaves in time, and another finishes', () =>
    Scene.play(undefined, async (scene) => {
      const asked = scene.newRequest();
      const proxy = await TcpProxy.before(scene.harness.config.queue.redisUrl);
      const obstacle = await Obstacle.before(scene.harness, scene.ids[45] ?? '');
      const leaving = await scene.start({ REDIS_URL: proxy.url });
      const sent = await scene.harness.producer.reassign(asked);
      await scene.applied(asked.operationId, 4);
      proxy.away();
      await leaving.tellToStop();
      await obstacle.clear();
      await until('it to leave', () => leaving.hasEnded, CLOSED_WITHIN_MS);
      await scene.start();
      await sent.result(WAIT);
      await scene.expectAllMovedOnce(asked.operationId);
      expect(await scene.queue.job(asked.operationId)).toMatchObject({ attemptsMade: 1 });
      await proxy.close();
    }));

  it.each([
    ['ahead', FIVE_MINUTES_MS],
    ['behind', -FIVE_MINUTES_MS],
  ])(
    'whose clock is five minutes %s and which is told to stop: one with a right clock goes on at once',
    (_how, offsetMs) =>
      Scene.play(undefined, async (scene) => {
        const asked = scene.newRequest();
        const obstacle = await Obstacle.before(scene.harness, scene.ids[45] ?? '');
        const skewed = await scene.start({ CLOCK_OFFSET_MS: String(offsetMs), BATON_SLICE_MS: '1' }, SKEWED);
        const sent = await scene.harness.producer.reassign(asked);
        await scene.applied(asked.operationId, 4);
        await skewed.tellToStop();
        await obstacle.clear();
        await until('it to leave', () => skewed.hasEnded);
        await scene.start();
        await sent.result(WAIT);
        await scene.expectAllMovedOnce(asked.operationId);
      }),
  );
});

describe('a claim that waits', { timeout: 120_000 }, () => {
  const RIGHT = 0;
  it.each([
    ['ended by a worker whose clock is five minutes ahead', RIGHT, FIVE_MINUTES_MS],
    ['made by a worker whose clock is five minutes behind', -FIVE_MINUTES_MS, RIGHT],
  ])('%s is given up when its time is over, and not before', (_how, createdBySendId, endedBy) =>
    Scene.play(undefined, async (scene) => {
      const { harness, campaignId } = scene;
      await harness.context.database.conversations.deleteMany({ campaignId });
      const claim = { operationId: harness.newId('cl'), campaignId, texterId: 't1', count: 50, waitMs: 8_000 };
      const sent = await harness.producer.selfAssign(claim);
      const first = await scene.start({ CLOCK_OFFSET_MS: String(createdBySendId) }, SKEWED);
      await until('it to wait', () => harness.isWaiting(claim.operationId));
      await first.kill();
      await scene.start({ CLOCK_OFFSET_MS: String(endedBy) }, SKEWED);
      const { receipt } = await sent.result(WAIT);
      expect(receipt).toMatchObject({ moved: 0, shortBecause: 'none-left' });
      const { acceptedAt, endedAt } = await rawOperation(harness, claim.operationId);
      const waitedMs = (endedAt?.getTime() ?? 0) - acceptedAt.getTime();
      expect(waitedMs).toBeGreaterThanOrEqual(claim.waitMs);
      expect(waitedMs).toBeLessThan(FIVE_MINUTES_MS / 2);
    }),
  );
});

describe.runIf(areOwnServicesPossible)('on servers that fail', { timeout: 120_000 }, () => {
  let services: OwnServices;
  beforeAll(async () => {
    services = await OwnServices.start();
  });
  afterAll(() => services.stop());

  it('an operation outlasts a database that stands still for ten seconds', () =>
    Scene.play(services, async (scene) => {
      const asked = scene.newRequest();
      await scene.start({ BATON_SLICE_MS: '1', BATON_BATCH_CONVERSATIONS_MAX: '2' });
      const sent = await scene.harness.producer.reassign(asked);
      await scene.applied(asked.operationId, 4);
      await services.stallDatabase(10_000);
      await sent.result(WAIT);
      await scene.expectAllMovedOnce(asked.operationId);
    }));

  it('Redis is emptied with work accepted, running, waiting in line and being stopped: all ends though nobody asks again', () =>
    Scene.play(services, async (scene) => {
      const { harness, campaignId } = scene;
      const { operations, claims } = harness.context.stores;
      const worker = await scene.start(SWEPT);
      const first = { ...scene.newRequest(), count: 20 };
      await (await harness.producer.reassign(first)).result(WAIT);
      const obstacle = await Obstacle.before(harness, scene.ids[65] ?? '');
      const running = scene.newRequest();
      await harness.producer.reassign(running);
      await scene.applied(running.operationId, 4);
      // Behind it in line: one to carry out, one that undoes what was done before, and one that is stopped where it stands.
      const inLine = ({ operationId }: { operationId: string }) =>
        until(`${operationId} to wait in line`, () => operations.find(operationId));
      const behind = { ...scene.newRequest(), from: { texterIds: ['t1'] }, count: 9 };
      await inLine(await harness.producer.reassign(behind));
      const undo = { operationId: harness.newId('op'), campaignId, undoes: first.operationId };
      await inLine(await harness.producer.undo(undo));
      const stopped = scene.newRequest();
      await inLine(await harness.producer.reassign(stopped));
      const other = await harness.seedCampaign(1, { selfAssign: { enabled: true } });
      const claim = { operationId: harness.newId('cl'), campaignId: other, texterId: 't1', count: 5, waitMs: 600_000 };
      await harness.producer.selfAssign(claim);
      await until('it to wait', () => harness.isWaiting(claim.operationId));
      // One that a worker recorded and died of.
      await worker.kill();
      const accepted = scene.newRequest();
      await oneSlice(harness.context.stores, accepted);
      await operations.recordCancellation(stopped, { by: null, reason: null, at: new Date() });

      await emptyRedis(services.redisUrl);
      await obstacle.clear();
      const pool = Array.from({ length: 5 }, () => ({}));
      await harness.seedConversations(other, pool);
      await scene.start(SWEPT);
      const ended = await Promise.all(
        [running, behind, undo, stopped, accepted].map(({ operationId }) =>
          until(`${operationId} to end`, async () => {
            const operation = await operations.find(operationId);
            return operation && isEnded(operation.state) && operation;
          }),
        ),
      );
      expect(ended.map(({ state }) => state)).toEqual(['done', 'done', 'done', 'cancelled', 'done']);
      // Nine are t1's longest waiting: five of the first one's, which its undo leaves where they are.
      expect(ended.map(({ receipt }) => receipt?.moved)).toEqual([CONVERSATIONS - 20, 9, 15, 0, 15]);
      await until('the claim to end', async () => (await claims.find(claim.operationId))?.state === 'done');
      expect(await harness.holdings(other)).toEqual({ t1: 5 });
      expect(await (await harness.producer.reassign(running)).result(WAIT)).toMatchObject({ outcome: 'exists' });
    }));
});
