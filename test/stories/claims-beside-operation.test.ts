import { serveClaims } from '../../src/claims/index.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClaimCommand } from '../../src/claims/contract.ts';
import { ClaimsDelayed } from '../../src/claims/ports.ts';
import { requestHash } from '../../src/domain/requests.ts';
import { objectIds } from '../../src/mongo/documents.ts';
import { conflictCounts } from '../../src/mongo/transaction.ts';
import { sendRequest } from '../../src/producer/send-many.ts';
import { Harness } from '../support/harness.ts';
import { pauseReconcile } from '../support/raw-queue.ts';
import { oneSlice, runToEnd } from '../support/run-operation.ts';
import { until } from '../support/until.ts';

const RULES = { enabled: true, batchMax: 10, openMax: 10_000 };
/** An answer may take this long on a machine that does much else. Before, claims waited as long as the operation lasted. */
const QUICK_MS = 5_000;

describe('claims beside an operation on the same pool', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  /** The first conversation has waited longest. */
  async function seed(conversations: number, texters = 4, rules = {}): Promise<{ campaignId: string; ids: string[] }> {
    const campaignId = await harness.seedCampaign(texters, { selfAssign: { ...RULES, ...rules } });
    const pool = Array.from({ length: conversations }, (_, at) => ({ waitedMs: conversations - at }));
    return { campaignId, ids: await harness.seedConversations(campaignId, pool) };
  }

  function command(campaignId: string, texterId: string, count: number, waitMs?: number): ClaimCommand {
    const request = { kind: 'self-assign', operationId: harness.newId('cl'), campaignId, texterId, count } as const;
    const complete = waitMs === undefined ? request : { ...request, waitMs };
    return { request: complete, requestHash: requestHash(complete), sendId: 'test' };
  }

  async function claim(campaignId: string, texterId: string, count: number, waitMs?: number) {
    const { stores } = harness.context;
    const { answered, isBesideOperation } = await serveClaims(stores.claims, campaignId, [
      command(campaignId, texterId, count, waitMs),
    ]);
    const [served] = answered;
    if (!served) throw new Error('the round did not serve the claim');
    return { ...served, shortBecause: served.receipt?.shortBecause ?? null, isBesideOperation };
  }

  const deal = (campaignId: string) =>
    ({
      kind: 'reassign',
      operationId: harness.newId('op'),
      campaignId,
      from: 'pool',
      to: { texterIds: ['t3', 't4'] },
      status: 'any',
    }) as const;

  describe('that has planned a part of the pool', () => {
    it('take the oldest conversations behind those that the operation has planned and read', async () => {
      const { campaignId, ids } = await seed(200);
      const asked = { ...deal(campaignId), count: 20 };
      await oneSlice(harness.context.stores, asked, { batchConversationsMax: 10, batchesInFlightMax: 1 });
      // The operation has read a page of 50, which is enough for its count, so it reads nothing ahead.
      const { granted, shortBecause, isBesideOperation } = await claim(campaignId, 't1', 5);
      expect(granted).toEqual(ids.slice(50, 55));
      expect([shortBecause, isBesideOperation]).toEqual([null, true]);
      const ended = await runToEnd(harness.context.stores, asked);
      expect(ended?.receipt).toMatchObject({ moved: 20, selected: 20, skipped: [] });
    });

    it('take no planned conversation when its batch was not applied', async () => {
      const { campaignId, ids } = await seed(600);
      const { stores } = harness.context;
      const asked = { ...deal(campaignId), count: 120 };
      const failing = { ...stores, batches: withoutApply(stores.batches) };
      await oneSlice(failing, asked, { batchConversationsMax: 10 }).catch(() => undefined);
      const first = await claim(campaignId, 't1', 10);
      // It has read a page of 120 and nothing ahead.
      expect(first.granted).toEqual(ids.slice(120, 130));
      const ended = await runToEnd(stores, asked);
      expect(ended?.receipt).toMatchObject({ moved: 120, skipped: [] });
    });

    it('are short with being-reassigned when the operation has planned or read all others', async () => {
      const { campaignId, ids } = await seed(40);
      const asked = deal(campaignId);
      await oneSlice(harness.context.stores, asked, { batchConversationsMax: 10, batchesInFlightMax: 1 });
      expect(await claim(campaignId, 't1', 5)).toMatchObject({
        granted: [],
        state: 'done',
        shortBecause: 'being-reassigned',
      });
      // This one came back to the pool after its place was planned.
      const back = { _id: { $in: objectIds(ids.slice(2, 3)) } };
      await harness.context.database.conversations.updateOne(back, { $set: { assigneeId: null } });
      expect(await claim(campaignId, 't1', 5)).toMatchObject({
        granted: ids.slice(2, 3),
        shortBecause: 'being-reassigned',
      });
      const waits = await claim(campaignId, 't2', 5, 60_000);
      expect(waits).toMatchObject({ granted: [], state: 'accepted', shortBecause: 'being-reassigned' });
      await runToEnd(harness.context.stores, asked);
      await serveClaims(harness.context.stores.claims, campaignId, []);
      const after = await harness.context.stores.claims.find(waits.operationId);
      expect(after?.receipt).toMatchObject({ moved: 0, shortBecause: 'none-left' });
      expect(await claim(campaignId, 't1', 5)).toMatchObject({ granted: [], shortBecause: 'none-left' });
    });

    it('leave out only what an undo has planned, because an undo has no place in the pool', async () => {
      const { campaignId, ids } = await seed(60);
      const { stores } = harness.context;
      const out = { ...deal(campaignId), to: { texterIds: ['t3'] } };
      await runToEnd(stores, out);
      const back = { kind: 'unassign', operationId: harness.newId('op'), campaignId, confirm: 60 } as const;
      const asked = { ...back, from: { texterIds: ['t3'] }, status: 'any' } as const;
      await runToEnd(stores, asked, { batchConversationsMax: 10 });
      const undo = { kind: 'undo', operationId: harness.newId('op'), campaignId, undoes: asked.operationId } as const;
      await oneSlice(stores, undo, { batchConversationsMax: 10, batchesInFlightMax: 1 });
      const { granted, shortBecause } = await claim(campaignId, 't1', 5);
      expect(granted).toHaveLength(5);
      expect(granted.every((id) => ids.indexOf(id) >= 10)).toBe(true);
      expect(shortBecause).toBeNull();
      const ended = await runToEnd(stores, undo);
      expect(ended?.receipt).toMatchObject({ moved: 55, skipped: [{ reason: 'assignee-changed', count: 5 }] });
    });

    it('take the head of the pool when the operation does not take from the pool or not this status', async () => {
      const { campaignId, ids } = await seed(60);
      const { stores } = harness.context;
      await harness.seedConversations(campaignId, [{ status: 'closed' }, { status: 'closed' }, { assigneeId: 't2' }]);
      const closed = { ...deal(campaignId), status: 'closed' } as const;
      await oneSlice(stores, closed, { batchConversationsMax: 1, batchesInFlightMax: 1 });
      expect(await claim(campaignId, 't1', 5)).toMatchObject({ granted: ids.slice(0, 5), isBesideOperation: false });
      await runToEnd(stores, closed);
    });
  });

  describe('and other writers', () => {
    /** Keeps a transaction open that has written these conversations, while `work` runs. */
    async function whileWritten<Result>(ids: readonly string[], work: () => Promise<Result>): Promise<Result> {
      const { database } = harness.context;
      const session = database.client.startSession();
      try {
        session.startTransaction();
        await database.conversations.updateMany(
          { _id: { $in: objectIds(ids) } },
          { $inc: { assignmentVersion: 1 } },
          { session },
        );
        return await work();
      } finally {
        await session.abortTransaction();
        await session.endSession();
      }
    }

    it('go on behind the head of the pool while another transaction has written it', async () => {
      const { campaignId, ids } = await seed(400);
      const before = conflictCounts().claim;
      const { granted } = await whileWritten(ids.slice(0, 40), () => claim(campaignId, 't1', 10));
      expect(granted).toHaveLength(10);
      expect(granted.every((id) => ids.indexOf(id) >= 40)).toBe(true);
      expect(conflictCounts().claim).toBeGreaterThan(before);
      expect((await claim(campaignId, 't1', 10)).granted).toEqual(ids.slice(0, 10));
    });

    it('end with an error within a bounded time when every conversation is being written', async () => {
      const { campaignId, ids } = await seed(30);
      const startedAt = performance.now();
      const delayed = await whileWritten(ids, () => claim(campaignId, 't1', 10).catch((error: unknown) => error));
      expect(delayed).toBeInstanceOf(ClaimsDelayed);
      expect(performance.now() - startedAt).toBeLessThan(30_000);
      expect((await claim(campaignId, 't1', 10)).granted).toEqual(ids.slice(0, 10));
    });
  });

  describe('with workers', () => {
    beforeAll(async () => {
      // No reconcile pass may continue the operations that a test leaves half done.
      await pauseReconcile(harness);
      await harness.startWorker();
      await harness.startWorker();
    });

    it('are answered quickly with conversations while a large operation takes from the pool', async () => {
      const SIZE = 20_000;
      const { campaignId } = await seed(SIZE, 24);
      const texters = Array.from({ length: 20 }, (_, at) => `t${at + 1}`);
      const to = { texterIds: ['t21', 't22', 't23', 't24'] };
      const operation = await sendRequest(harness.producer, { ...deal(campaignId), to });
      let isOver = false;
      let granted = 0;
      const asking = texters.map(async (texterId) => {
        while (!isOver) {
          const startedAt = performance.now();
          const sent = await harness.producer.selfAssign({ operationId: harness.newId('cl'), campaignId, texterId });
          const { conversationIds, receipt } = await sent.result();
          expect(performance.now() - startedAt).toBeLessThan(QUICK_MS);
          granted += conversationIds.length;
          if (conversationIds.length < RULES.batchMax) {
            expect(receipt.shortBecause).toBe(
              (await poolSize(campaignId)) > 0 ? 'being-reassigned' : receipt.shortBecause,
            );
            await sleep(50);
          }
        }
      });
      const { receipt } = await operation.result();
      isOver = true;
      await Promise.all(asking);
      expect(granted).toBeGreaterThan(20 * RULES.batchMax);
      expect(receipt.moved + granted).toBe(SIZE - ((await harness.loads(campaignId))['pool'] ?? 0));
    });

    it('that wait are served after the operation has ended', async () => {
      const { campaignId } = await seed(30);
      const { stores } = harness.context;
      const asked = deal(campaignId);
      await oneSlice(stores, asked, { batchConversationsMax: 10, batchesInFlightMax: 1 });
      const sent = await harness.producer.selfAssign({
        operationId: harness.newId('cl'),
        campaignId,
        texterId: 't1',
        count: 5,
        waitMs: 600_000,
      });
      await until('the claim to wait', () => harness.isWaiting(sent.operationId));
      await harness.producer.cancel({ operationId: asked.operationId, campaignId });
      const { receipt } = await sent.result();
      expect(receipt).toMatchObject({ moved: 5, shortBecause: null });
    });
  });

  const poolSize = (campaignId: string): Promise<number> =>
    harness.context.database.conversations.countDocuments({ campaignId, assigneeId: null });
});

/** A store whose batches are planned and never applied. */
function withoutApply<Store extends { apply: unknown }>(store: Store): Store {
  return new Proxy(store, {
    get: (target, name): unknown => {
      if (name === 'apply') return () => Promise.reject(new Error('the batch is not applied'));
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}
