import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { OperationDoc } from '../../src/mongo/documents.ts';
import { MongoReconcileStore } from '../../src/reconcile/reconcile-store.ts';
import { newOperationJob, OPERATION_JOB, OPERATION_JOB_OPTIONS } from '../../src/operations/jobs.ts';
import { STALLED_TOO_OFTEN } from '../../src/queue/job-state.ts';
import { jobIdOf } from '../../src/queue/job.ts';
import { parseRequest } from '../../src/operations/contract.ts';
import { sendRequest } from '../../src/producer/send-many.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { pauseReconcile } from '../support/raw-queue.ts';
import { oneSlice, record, runToEnd } from '../support/run-operation.ts';
import { bytesOf, rawBatches, rawConversations, rawOperation } from '../support/raw.ts';
import type { BulkInput } from '../support/any-request.ts';
import { NOTHING, SETTINGS, ReconcileSetup } from '../support/reconcile-setup.ts';
import { until } from '../support/until.ts';

const RECONCILE_EVERY_MS = 200;
const LONG_MS = 3_600_000;
const DAY_MS = 86_400_000;

describe('the schedule of the reconcile job', () => {
  let setup: ReconcileSetup;
  beforeAll(async () => {
    setup = await ReconcileSetup.open({ reconcileEveryMs: RECONCILE_EVERY_MS });
  });
  afterEach(() => vi.restoreAllMocks());
  afterAll(() => setup.close());

  it('runs one pass at a time over two workers, also when the next pass is due', async () => {
    const { queue } = setup.reconciles;
    const hasNext = async (): Promise<boolean> => (await queue.getWaitingCount()) > 0;
    let [running, most, passes] = [0, 0, 0];
    vi.spyOn(MongoReconcileStore.prototype, 'unfinished').mockImplementation(async function* () {
      running += 1;
      most = Math.max(most, running);
      if (passes < 4) await until('the next pass to be due', hasNext);
      passes += 1;
      running -= 1;
      yield [];
    });
    await setup.harness.startWorker();
    await setup.harness.startWorker();
    await until('six passes', () => passes >= 6);
    expect(most).toBe(1);
  });

  it('is restored when the schedule is lost, and when only its next job is lost', async () => {
    const { queue } = setup.reconciles;
    const { campaignId } = await setup.campaign(20);
    for (const lose of [
      () => queue.removeJobScheduler('reconcile'),
      async () =>
        Promise.all((await queue.getDelayed()).map(({ id = '' }) => setup.redis.zrem(queue.toKey('delayed'), id))),
    ]) {
      const asked = setup.request(campaignId, 10);
      await lose();
      // The operation is stored without a job, so only a reconcile pass finds it.
      await record(setup.harness.context.stores, asked);
      await setup.ended(asked.operationId);
    }
    expect(await setup.harness.loads(campaignId)).not.toHaveProperty('pool');
  });
});

/** No worker runs unless a test starts one. Each test runs its own passes. */
describe('a reconcile pass', () => {
  let setup: ReconcileSetup;
  let cli: Cli;
  beforeAll(async () => {
    setup = await ReconcileSetup.open({ reconcileEveryMs: LONG_MS });
    cli = new Cli(cliEnv(setup.harness.config));
  });
  afterEach(async () => {
    const { operations, batches } = setup.harness.context.database;
    await operations.deleteMany({});
    await batches.deleteMany({});
    await setup.emptyRedis();
  });
  afterAll(() => setup.close());

  /** Stores an operation that has run for one slice and has no job. */
  async function begun(count = 10): Promise<BulkInput> {
    const { campaignId } = await setup.campaign(20);
    const asked = setup.request(campaignId, count);
    await oneSlice(setup.harness.context.stores, asked, SETTINGS);
    return asked;
  }

  async function addJob(input: BulkInput, more: { delay?: number; attempts?: number } = {}): Promise<void> {
    const options = { ...OPERATION_JOB_OPTIONS, ...more, jobId: jobIdOf(input.operationId) };
    await setup.operations.queue.add(OPERATION_JOB, newOperationJob(parseRequest(input), 'test'), options);
  }

  /** Stores an operation that waits, with a job that is snoozed. */
  async function waiting(campaignId: string): Promise<BulkInput> {
    const asked = setup.request(campaignId, 1);
    await record(setup.harness.context.stores, asked);
    await addJob(asked, { delay: LONG_MS });
    return asked;
  }

  it('creates lost jobs once', async () => {
    const lost = [await begun(), await begun(), await begun()];
    expect(await setup.reconcileOnce()).toEqual({ ...NOTHING, jobsCreated: 3 });
    expect(await setup.reconcileOnce()).toEqual(NOTHING);
    for (const { operationId } of lost) {
      const job = await setup.operations.job(operationId);
      const { createdBySendId } = await rawOperation(setup.harness, operationId);
      expect(job).toMatchObject({
        id: jobIdOf(operationId),
        data: { sendId: createdBySendId, request: { operationId } },
      });
    }
  });

  it('does not run while its queue is paused, not even when the first worker starts', async () => {
    const { harness, reconciles } = setup;
    const { operationId } = await begun();
    await pauseReconcile(harness);
    const worker = await harness.startWorker();
    await until('the job of the pass', async () => (await reconciles.queue.getWaitingCount()) > 0);
    // The worker takes jobs of other queues.
    const { campaignId } = await setup.campaign(1);
    await (await sendRequest(harness.producer, setup.request(campaignId, 1))).result();
    expect(await reconciles.queue.getWaitingCount()).toBeGreaterThan(0);
    expect(await setup.operations.job(operationId)).toBeUndefined();
    await worker.close();
  });

  it('leaves delayed jobs and jobs under the bare operation id alone', async () => {
    const [pausing, bare] = [await begun(), await begun()];
    await addJob(pausing, { delay: LONG_MS });
    await setup.operations.queue.add(OPERATION_JOB, newOperationJob(parseRequest(bare), 'test'), {
      jobId: bare.operationId,
    });
    expect(await setup.reconcileOnce()).toEqual(NOTHING);
    expect(await (await setup.operations.job(pausing.operationId))?.isDelayed()).toBe(true);
    expect(await setup.operations.queue.getJob(jobIdOf(bare.operationId))).toBeUndefined();
  });

  it('wakes the first waiting operation of a campaign in which nothing runs, and no other', async () => {
    const { campaignId } = await setup.campaign(20);
    const [first, second] = [await waiting(campaignId), await waiting(campaignId)];
    const other = await begun();
    const behind = await waiting(other.campaignId);
    expect(await setup.reconcileOnce()).toEqual({ ...NOTHING, jobsCreated: 1 });
    const stateOf = async ({ operationId }: BulkInput) => (await setup.operations.job(operationId))?.getState();
    expect(await Promise.all([first, second, other, behind].map(stateOf))).toEqual([
      'waiting',
      'delayed',
      'waiting',
      'delayed',
    ]);
  });

  it('creates the jobs of all waiting operations of a campaign whose running operation has lost its job', async () => {
    const { campaignId } = await begun();
    const lost = Array.from({ length: 120 }, () => setup.request(campaignId, 1));
    for (const each of lost) await record(setup.harness.context.stores, each);
    expect(await setup.reconcileOnce()).toEqual({ ...NOTHING, jobsCreated: 121 });
    for (const { operationId } of lost) expect(await setup.operations.job(operationId)).toBeDefined();
  });

  it('wakes a waiting operation that is to be cancelled, while another one runs', async () => {
    const { stores } = setup.harness.context;
    const running = await begun();
    await addJob(running, { delay: LONG_MS });
    const [first, second] = [await waiting(running.campaignId), await waiting(running.campaignId)];
    await stores.operations.recordCancellation(second, { by: null, reason: null, at: new Date() });
    expect(await setup.reconcileOnce()).toEqual(NOTHING);
    expect(await (await setup.operations.job(second.operationId))?.isWaiting()).toBe(true);
    expect(await (await setup.operations.job(first.operationId))?.isDelayed()).toBe(true);
  });

  it('retries a failed job whose operation is not recorded as failed', async () => {
    const asked = await begun();
    await addJob(asked, { attempts: 1 });
    await setup.failJob(asked.operationId, 'the database was away');
    const { operations } = await cli.json<{ operations: unknown[] }>(['failed']);
    expect(operations).toMatchObject([{ operationId: asked.operationId, foundIn: 'queue' }]);
    expect(await setup.reconcileOnce()).toEqual({ ...NOTHING, jobsRetried: 1 });
    expect(await (await setup.operations.job(asked.operationId))?.isWaiting()).toBe(true);
  });

  it('records an operation as failed when its workers die, and a retry gets a new job', async () => {
    const asked = await begun();
    await addJob(asked, { attempts: 1 });
    await setup.failJob(asked.operationId, STALLED_TOO_OFTEN);
    expect(await setup.reconcileOnce()).toEqual({ ...NOTHING, failed: 1 });
    const failed = { state: 'failed', error: { code: 'attempts-exhausted' }, receipt: { moved: 5 } };
    expect(await rawOperation(setup.harness, asked.operationId)).toMatchObject(failed);
    await cli.json(['retry', asked.operationId, '--yes']);
    expect(await setup.operations.job(asked.operationId)).toMatchObject({ attemptsMade: 0, stalledCounter: 0 });
    await runToEnd(setup.harness.context.stores, asked, SETTINGS);
    expect(await rawOperation(setup.harness, asked.operationId)).toMatchObject({
      state: 'done',
      receipt: { moved: 10 },
    });
  });

  it('ends a waiting claim without a job after its deadline, and its sender receives the result', async () => {
    const { campaignId } = await setup.campaign(2);
    const { harness } = setup;
    const worker = await harness.startWorker();
    const claimId = harness.newId('cl');
    const wanted = { operationId: claimId, campaignId, texterId: 't1', count: 5, waitMs: LONG_MS };
    await harness.producer.selfAssign(wanted);
    await until('the claim to wait', () => harness.isWaiting(claimId));
    await until('the job of the claim to be snoozed', async () => (await setup.claims.job(claimId))?.isDelayed());
    await worker.close();
    await setup.claims.forget(claimId);
    expect(await setup.reconcileOnce()).toEqual({ ...NOTHING, jobsCreated: 1 });
    await setup.claims.forget(claimId);
    const past = { $set: { 'waiting.until': new Date(0) } };
    await harness.context.database.claims.updateOne({ _id: claimId }, past);
    expect(await setup.reconcileOnce()).toEqual({ ...NOTHING, claimsEnded: 1 });
    expect(await setup.claims.job(claimId)).toBeDefined();
    const again = await harness.startWorker();
    const result = await (await harness.producer.selfAssign(wanted)).result();
    expect(result).toMatchObject({ outcome: 'exists', receipt: { moved: 2, shortBecause: 'none-left' } });
    await again.close();
  });

  it('continues with the other operations when one step fails', async () => {
    const [first, second] = [await begun(), await begun()];
    const old = await ended(91);
    const jobs = {
      restoreLost: () => Promise.resolve(0),
      ensureJob: (each: Parameters<typeof setup.jobs.ensureJob>[0], isUnfinished: () => Promise<boolean>) =>
        each.operationId === first.operationId
          ? Promise.reject(new Error('no'))
          : setup.jobs.ensureJob(each, isUnfinished),
      wake: () => Promise.resolve(),
      answer: () => Promise.resolve(true),
      poolRefilled: () => Promise.resolve(),
      forget: () => Promise.resolve(),
    };
    expect(await setup.reconcileOnce({ jobs })).toEqual({
      ...NOTHING,
      jobsCreated: 1,
      expired: 1,
      errors: [new Error('no')],
    });
    expect(await setup.operations.job(second.operationId)).toBeDefined();
    expect(await kept(old)).toBe(false);
  });

  /** Stores an operation that ended this many days ago. */
  async function ended(daysAgo: number, state: OperationDoc['state'] = 'done'): Promise<string> {
    const { operationId } = await begun();
    const at = new Date(Date.now() - daysAgo * DAY_MS);
    const endedAt = state === 'done' || state === 'failed' ? at : null;
    const { operations } = setup.harness.context.database;
    await operations.updateOne(
      { _id: operationId },
      { $set: { state, acceptedAt: at, endedAt }, $unset: { campaignLock: '' } },
    );
    return operationId;
  }

  async function kept(operationId: string): Promise<boolean> {
    const { operations } = setup.harness.context.database;
    return (await operations.countDocuments({ _id: operationId })) === 1;
  }

  it('removes operations that ended long ago with their batches and jobs, and nothing else', async () => {
    const [old, given, recent, long] = [await ended(91), await ended(400, 'failed'), await ended(89), await ended(2)];
    const unfinished = await ended(500, 'running');
    const { operations } = setup.harness.context.database;
    await operations.updateOne({ _id: long }, { $set: { acceptedAt: new Date(0) } });
    await addJob({ ...setup.request('c', 1), operationId: given });
    const conversations = bytesOf([...(await rawConversations(setup.harness)).values()]);
    expect(await setup.reconcileOnce({ receiptsKeptDays: 0 })).toMatchObject({ expired: 0, jobsCreated: 1 });
    expect(await setup.reconcileOnce()).toEqual({ ...NOTHING, expired: 2 });
    expect(await Promise.all([old, given, recent, long, unfinished].map(kept))).toEqual([
      false,
      false,
      true,
      true,
      true,
    ]);
    expect(await rawBatches(setup.harness, old)).toEqual([]);
    expect(await rawBatches(setup.harness, recent)).toHaveLength(1);
    expect(await setup.operations.job(given)).toBeUndefined();
    expect(bytesOf([...(await rawConversations(setup.harness)).values()])).toBe(conversations);
  });

  it('finishes the removal that a dead process began, and such an operation cannot be reopened', async () => {
    const { failures, reconcileStore, database } = setup.harness.context;
    const half = await ended(91, 'failed');
    await database.operations.updateOne(
      { _id: half },
      { $set: { error: { code: 'attempts-exhausted', message: '', expected: null, received: null } } },
    );
    expect(await reconcileStore.markExpired(new Date(Date.now() - 90 * DAY_MS))).toEqual([half]);
    await database.batches.deleteMany({ operationId: half });
    expect(await failures.reopen(half)).toBeUndefined();
    expect(await setup.reconcileOnce()).toEqual({ ...NOTHING, expired: 1 });
    expect(await kept(half)).toBe(false);
  });

  it('reads each of several pages of unfinished operations once', async () => {
    const { operations } = setup.harness.context.database;
    const { operationId } = await begun();
    const { _id, campaignLock, ...doc } = await rawOperation(setup.harness, operationId);
    expect([_id, campaignLock]).toEqual([operationId, doc.campaignId]);
    // Many operations have the same time of acceptance, so the pages must be divided by id.
    const copies = Array.from({ length: 350 }, (_, at) => ({
      ...doc,
      _id: `copy_${at}`,
      ...(at % 3 === 0 ? { state: 'accepted' as const, sequence: 0 } : { state: 'running' as const }),
      acceptedAt: new Date(doc.acceptedAt.getTime() + Math.trunc(at / 150)),
    }));
    await operations.insertMany(copies);
    const seen: string[] = [];
    for await (const page of setup.harness.context.reconcileStore.unfinished()) {
      seen.push(...page.map((each) => each.operationId));
    }
    expect(seen.sort()).toEqual([operationId, ...copies.map((copy) => copy._id)].sort());
    const old = new Date(Date.now() - 91 * DAY_MS);
    await operations.updateMany({ _id: /^copy_/ }, { $set: { state: 'done', acceptedAt: old, endedAt: old } });
    expect(await setup.reconcileOnce()).toMatchObject({ jobsCreated: 1, expired: 350 });
  });
});
