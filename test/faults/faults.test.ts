import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isEnded } from '../../src/domain/operation.ts';
import { Harness, many } from '../support/harness.ts';
import { blockMoves } from '../support/blocked-conversation.ts';
import { describeWith, itWith, OWN_SERVERS, PLAIN_REDIS } from '../support/needs.ts';
import { OwnServices } from '../support/own-services.ts';
import { oneSlice } from '../support/run-operation.ts';
import { CampaignWithWorkers, seedPool } from '../support/campaign-with-workers.ts';
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
const FREQUENT_RECONCILE = { BATON_RECONCILE_EVERY_MS: '500' };
const CLOSED_WITHIN_MS = 10_000;
const WAIT = { waitMs: 60_000 };
const AT_WRITE = { preload: './test/support/at-write.ts' };
const SKEWED = { preload: './test/support/skewed-clock.ts' };
const FIVE_MINUTES_MS = 300_000;
const itProxied = itWith(PLAIN_REDIS);

/** `services` are servers of the test's own, for a test that breaks them. */
class FaultTest extends CampaignWithWorkers {
  static async run(services: OwnServices | undefined, act: (test: FaultTest) => Promise<void>): Promise<void> {
    const selfAssign = { enabled: true, batchMax: 50, openMax: 500 };
    const pool = await seedPool(await Harness.open({}, services), CONVERSATIONS, { selfAssign });
    const test = new FaultTest(pool, SETTINGS);
    try {
      await act(test);
    } finally {
      await test.close();
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
    const ids = { operationId: this.harness.newId('op'), campaignId: this.campaignId };
    return { kind: 'reassign', ...ids, from: 'pool', to: 'everyone', status: 'any' };
  }

  async expectAllMovedOnce(operationId: string): Promise<void> {
    const docs = await rawConversations(this.harness, this.campaignId);
    const histories = [...docs.values()].map(({ history, assignmentVersion }) => [
      history.map((move) => move.operationId),
      assignmentVersion,
    ]);
    expect(histories).toEqual(histories.map(() => [[operationId], 1]));
    expect(await this.harness.loads(this.campaignId)).toEqual({ t1: 30, t2: 30, t3: 30, t4: 30 });
    const { state, receipt } = await rawOperation(this.harness, operationId);
    expect([state, receipt?.moved, receipt?.selected]).toEqual(['done', CONVERSATIONS, CONVERSATIONS]);
  }
}

describe('an operation', { timeout: 120_000 }, () => {
  it('moves each conversation once when its worker is blocked beyond the lock and another worker runs it too', () =>
    FaultTest.run(undefined, async (test) => {
      const request = test.newRequest();
      const stuck = await test.start(
        { AT_WRITE: 'update conversations#4:before', AT_WRITE_DO: 'block:4000' },
        AT_WRITE,
      );
      const sent = await test.harness.producer.reassign(request);
      await test.applied(request.operationId, 3);
      await test.start();
      expect((await sent.result(WAIT)).receipt.moved).toBe(CONVERSATIONS);
      expect((await test.queue.job(request.operationId))?.stalledCounter).toBeGreaterThan(0);
      expect(stuck.hasEnded).toBe(false);
      await test.expectAllMovedOnce(request.operationId);
    }));

  itProxied('is continued when its worker receives SIGTERM while Redis is away, and the worker exits in time', () =>
    FaultTest.run(undefined, async (test) => {
      const request = test.newRequest();
      const proxy = await TcpProxy.before(test.harness.config.queue.redisUrl);
      const block = await blockMoves(test.harness, test.ids[45] ?? '');
      const stopping = await test.start({ REDIS_URL: proxy.url });
      const sent = await test.harness.producer.reassign(request);
      await test.applied(request.operationId, 4);
      proxy.away();
      await stopping.tellToStop();
      await block.remove();
      await until('the worker to exit', () => stopping.hasEnded, CLOSED_WITHIN_MS);
      await test.start();
      await sent.result(WAIT);
      await test.expectAllMovedOnce(request.operationId);
      expect(await test.queue.job(request.operationId)).toMatchObject({ attemptsMade: 1 });
      await proxy.close();
    }),
  );

  it.each([
    ['ahead', FIVE_MINUTES_MS],
    ['behind', -FIVE_MINUTES_MS],
  ])('continues at once after a worker whose clock is five minutes %s has stopped', (_direction, offsetMs) =>
    FaultTest.run(undefined, async (test) => {
      const request = test.newRequest();
      const block = await blockMoves(test.harness, test.ids[45] ?? '');
      const skewed = await test.start({ CLOCK_OFFSET_MS: String(offsetMs), BATON_SLICE_MS: '1' }, SKEWED);
      const sent = await test.harness.producer.reassign(request);
      await test.applied(request.operationId, 4);
      await skewed.tellToStop();
      await block.remove();
      await until('the worker to exit', () => skewed.hasEnded);
      await test.start();
      await sent.result(WAIT);
      await test.expectAllMovedOnce(request.operationId);
    }),
  );
});

describe('a waiting claim', { timeout: 120_000 }, () => {
  const CORRECT = 0;
  it.each([
    ['ends it has a clock that is five minutes ahead', CORRECT, FIVE_MINUTES_MS],
    ['stored it has a clock that is five minutes behind', -FIVE_MINUTES_MS, CORRECT],
  ])('ends at its deadline, and not before, when the worker that %s', (_how, storedByMs, endedByMs) =>
    FaultTest.run(undefined, async (test) => {
      const { harness, campaignId } = test;
      await harness.context.database.conversations.deleteMany({ campaignId });
      const claim = { operationId: harness.newId('cl'), campaignId, texterId: 't1', count: 50, waitMs: 8_000 };
      const sent = await harness.producer.selfAssign(claim);
      const first = await test.start({ CLOCK_OFFSET_MS: String(storedByMs) }, SKEWED);
      await until('the claim to wait', () => harness.isWaiting(claim.operationId));
      await first.kill();
      await test.start({ CLOCK_OFFSET_MS: String(endedByMs) }, SKEWED);
      const { receipt } = await sent.result(WAIT);
      expect(receipt).toMatchObject({ moved: 0, shortBecause: 'none-left' });
      const { acceptedAt, endedAt } = await rawOperation(harness, claim.operationId);
      const waitedMs = (endedAt?.getTime() ?? 0) - acceptedAt.getTime();
      expect(waitedMs).toBeGreaterThanOrEqual(claim.waitMs);
      expect(waitedMs).toBeLessThan(FIVE_MINUTES_MS / 2);
    }),
  );
});

describeWith(OWN_SERVERS)('with servers that fail', { timeout: 120_000 }, () => {
  let services: OwnServices;
  beforeAll(async () => {
    services = await OwnServices.start();
  });
  afterAll(() => services.stop());

  it('an operation continues after the database has not responded for ten seconds', () =>
    FaultTest.run(services, async (test) => {
      const request = test.newRequest();
      await test.start({ BATON_SLICE_MS: '1', BATON_BATCH_CONVERSATIONS_MAX: '2' });
      const sent = await test.harness.producer.reassign(request);
      await test.applied(request.operationId, 4);
      await services.stallDatabase(10_000);
      await sent.result(WAIT);
      await test.expectAllMovedOnce(request.operationId);
    }));

  it('all accepted, running, waiting and cancelled operations end by themselves after Redis has lost its data', () =>
    FaultTest.run(services, async (test) => {
      const { harness, campaignId } = test;
      const { operations, claims } = harness.context.stores;
      const worker = await test.start(FREQUENT_RECONCILE);
      const first = { ...test.newRequest(), count: 20 };
      await (await harness.producer.reassign(first)).result(WAIT);
      const block = await blockMoves(harness, test.ids[65] ?? '');
      const running = test.newRequest();
      await harness.producer.reassign(running);
      await test.applied(running.operationId, 4);
      // Three operations wait for it: a reassign, an undo of the first operation, and one that is cancelled.
      const waits = ({ operationId }: { operationId: string }) =>
        until(`${operationId} to wait`, () => operations.find(operationId));
      const behind = { ...test.newRequest(), from: { texterIds: ['t1'] }, count: 9 };
      await waits(await harness.producer.reassign(behind));
      const undo = { operationId: harness.newId('op'), campaignId, undoes: first.operationId };
      await waits(await harness.producer.undo(undo));
      const cancelled = test.newRequest();
      await waits(await harness.producer.reassign(cancelled));
      const other = await harness.seedCampaign(1, { selfAssign: { enabled: true } });
      const claim = { operationId: harness.newId('cl'), campaignId: other, texterId: 't1', count: 5, waitMs: 600_000 };
      await harness.producer.selfAssign(claim);
      await until('the claim to wait', () => harness.isWaiting(claim.operationId));
      // An operation that a worker accepted before it died.
      await worker.kill();
      const accepted = test.newRequest();
      await oneSlice(harness.context.stores, accepted);
      await operations.recordCancellation(cancelled, { by: null, reason: null, at: new Date() });

      await emptyRedis(services.redisUrl);
      await block.remove();
      const pool = many(5);
      await harness.seedConversations(other, pool);
      await test.start(FREQUENT_RECONCILE);
      const ended = await Promise.all(
        [running, behind, undo, cancelled, accepted].map(({ operationId }) =>
          until(`${operationId} to end`, async () => {
            const operation = await operations.find(operationId);
            return operation && isEnded(operation.state) && operation;
          }),
        ),
      );
      expect(ended.map(({ state }) => state)).toEqual(['done', 'done', 'done', 'cancelled', 'done']);
      // Five of the nine conversations that moved from t1 came from the first operation, so its undo skips them.
      expect(ended.map(({ receipt }) => receipt?.moved)).toEqual([CONVERSATIONS - 20, 9, 15, 0, 15]);
      await until('the claim to end', async () => (await claims.find(claim.operationId))?.state === 'done');
      expect(await harness.loads(other)).toEqual({ t1: 5 });
      expect(await (await harness.producer.reassign(running)).result(WAIT)).toMatchObject({ outcome: 'exists' });
    }));
});
