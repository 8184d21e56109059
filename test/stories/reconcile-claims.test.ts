import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { ClaimQueue } from '../../src/claims/claim-queue.ts';
import { serveClaims } from '../../src/claims/index.ts';
import { NOTHING, ReconcileSetup } from '../support/reconcile-setup.ts';
import { until } from '../support/until.ts';
import { LONG_MS } from '../support/waiting-claims.ts';

/** No worker runs unless a test starts one. Each test runs its own passes. */
describe('a reconcile pass with waiting claims', () => {
  let setup: ReconcileSetup;
  beforeAll(async () => (setup = await ReconcileSetup.open({ reconcileEveryMs: LONG_MS })));
  afterEach(async () => {
    vi.restoreAllMocks();
    await setup.harness.context.database.operations.deleteMany({});
    await setup.emptyRedis();
  });
  afterAll(() => setup.close());

  /** Sends claims of the texters t1, t2, … and stops the worker when they wait. */
  async function waitingClaims(count: number): Promise<{ campaignId: string; claimIds: string[] }> {
    const { harness } = setup;
    const campaignId = await harness.seedCampaign(count, { selfAssign: { enabled: true } });
    const worker = await harness.startWorker();
    const claimIds = Array.from({ length: count }, () => harness.newId('cl'));
    for (const [at, operationId] of claimIds.entries()) {
      await harness.producer.selfAssign({
        operationId,
        campaignId,
        texterId: `t${at + 1}`,
        count: 1,
        waitMs: LONG_MS,
      });
    }
    for (const id of claimIds) {
      await until('the job of the claim to be snoozed', async () => (await setup.claims.job(id))?.isDelayed());
    }
    await worker.close();
    return { campaignId, claimIds };
  }

  const stateOf = async (id: string): Promise<unknown> => (await setup.claims.job(id))?.getState();

  it('wakes the jobs of claims that were completed by a worker that died before it woke them', async () => {
    const { stores } = setup.harness.context;
    const { campaignId, claimIds } = await waitingClaims(3);
    await setup.harness.seedConversations(campaignId, [{}, {}]);
    // Such a worker has written the round and nothing else.
    await serveClaims(stores.claims, campaignId, []);
    expect(await setup.reconcileOnce()).toEqual(NOTHING);
    expect((await Promise.all(claimIds.map(stateOf))).sort()).toEqual(['delayed', 'waiting', 'waiting']);
    expect(await setup.harness.context.database.claims.countDocuments({ toWake: true })).toBe(0);
  });

  it('creates all jobs when Redis was emptied, and asks the database for few claims when none is lost', async () => {
    const { claimIds } = await waitingClaims(120);
    await setup.emptyRedis();
    expect(await setup.reconcileOnce()).toEqual({ ...NOTHING, jobsCreated: 120 });
    const ensured = vi.spyOn(ClaimQueue.prototype, 'ensureJob');
    expect(await setup.reconcileOnce()).toEqual(NOTHING);
    expect(ensured.mock.calls.length).toBeLessThanOrEqual(101);
    expect((await Promise.all(claimIds.map(stateOf))).every((state) => state === 'waiting')).toBe(true);
  });

  it('has the claims served when the notification about their pool was lost', async () => {
    const { campaignId, claimIds } = await waitingClaims(2);
    await setup.harness.seedConversations(campaignId, [{}, {}]);
    expect(await setup.reconcileOnce()).toEqual({ ...NOTHING, poolsNotified: 1 });
    const worker = await setup.harness.startWorker();
    for (const id of claimIds) await until('the claim to be served', async () => !(await setup.harness.isWaiting(id)));
    await worker.close();
  });
});
