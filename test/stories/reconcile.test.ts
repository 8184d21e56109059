import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { OperationDoc } from '../../src/mongo/documents.ts';
import { MongoReconcileStore } from '../../src/reconcile/reconcile-store.ts';
import { newOperationJob, OPERATION_JOB, OPERATION_JOB_OPTIONS } from '../../src/operations/operation-job.ts';
import { jobIdOf } from '../../src/queue/job-id.ts';
import { parseRequest } from '../../src/operations/contract.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { oneTurn, record, toTheEnd } from '../support/perform.ts';
import { bytesOf, rawBatches, rawConversations, rawOperation } from '../support/raw.ts';
import type { BulkInput } from '../support/send.ts';
import { SETTINGS, ReconcileWorld } from '../support/reconcile-world.ts';
import { until } from '../support/until.ts';

const SWEEP_EVERY_MS = 200;
const LONG_MS = 3_600_000;
const DAY_MS = 86_400_000;
const STALLED = 'job stalled more than allowable limit';

describe('the reconcile’s schedule', () => {
  let world: ReconcileWorld;
  beforeAll(async () => {
    world = await ReconcileWorld.open({ reconcileEveryMs: SWEEP_EVERY_MS });
  });
  afterEach(() => vi.restoreAllMocks());
  afterAll(() => world.close());

  it('has one reconcile at a time over two workers, though the next be due', async () => {
    const { queue } = world.reconciles;
    const hasNext = async (): Promise<boolean> => (await queue.getWaitingCount()) > 0;
    let [running, most, reconciles] = [0, 0, 0];
    vi.spyOn(MongoReconcileStore.prototype, 'unfinished').mockImplementation(async function* () {
      running += 1;
      most = Math.max(most, running);
      if (reconciles < 4) await until('the next reconcile to be due', hasNext);
      reconciles += 1;
      running -= 1;
      yield [];
    });
    await world.harness.startWorker();
    await world.harness.startWorker();
    await until('some reconciles', () => reconciles >= 6);
    expect(most).toBe(1);
  });

  it('is put back when it is lost, and when only its next job is', async () => {
    const { queue } = world.reconciles;
    const { campaignId } = await world.campaign(20);
    for (const lose of [
      () => queue.removeJobScheduler('reconcile'),
      async () =>
        Promise.all((await queue.getDelayed()).map(({ id = '' }) => world.redis.zrem(queue.toKey('delayed'), id))),
    ]) {
      const asked = world.request(campaignId, 10);
      await lose();
      // On record, and nobody but the reconcile knows of it.
      await record(world.harness.context.stores, asked);
      await world.ended(asked.operationId);
    }
    expect(await world.harness.holdings(campaignId)).not.toHaveProperty('pool');
  });
});

/** No worker runs unless a test starts one: each reconcile is the test's own. */
describe('a reconcile', () => {
  let world: ReconcileWorld;
  let cli: Cli;
  beforeAll(async () => {
    world = await ReconcileWorld.open({ reconcileEveryMs: LONG_MS });
    cli = new Cli(cliEnv(world.harness.config));
  });
  afterEach(async () => {
    const { operations, batches } = world.harness.context.database;
    await operations.deleteMany({});
    await batches.deleteMany({});
    await world.emptyRedis();
  });
  afterAll(() => world.close());

  const NOTHING = { made: 0, takenUp: 0, failedOperations: 0, claimsEnded: 0, poolsFilled: 0, expired: 0, errors: [] };

  /** Begun, and its worker gone. */
  async function begun(count = 10): Promise<BulkInput> {
    const { campaignId } = await world.campaign(20);
    const asked = world.request(campaignId, count);
    await oneTurn(world.harness.context.stores, asked, SETTINGS);
    return asked;
  }

  async function addJob(input: BulkInput, more: { delay?: number; attempts?: number } = {}): Promise<void> {
    const options = { ...OPERATION_JOB_OPTIONS, ...more, jobId: jobIdOf(input.operationId) };
    await world.operations.queue.add(OPERATION_JOB, newOperationJob(parseRequest(input), 'test'), options);
  }

  it('makes lost jobs anew, once', async () => {
    const lost = [await begun(), await begun(), await begun()];
    expect(await world.reconcileOnce()).toEqual({ ...NOTHING, made: 3 });
    expect(await world.reconcileOnce()).toEqual(NOTHING);
    for (const { operationId } of lost) {
      const job = await world.operations.job(operationId);
      const { createdBySendId } = await rawOperation(world.harness, operationId);
      expect(job).toMatchObject({
        id: jobIdOf(operationId),
        data: { sendId: createdBySendId, request: { operationId } },
      });
    }
  });

  it('leaves alone what is on its way: snoozed, pausing between attempts, or sent under its bare id', async () => {
    const [pausing, bare] = [await begun(), await begun()];
    await addJob(pausing, { delay: LONG_MS });
    await world.operations.queue.add(OPERATION_JOB, newOperationJob(parseRequest(bare), 'test'), {
      jobId: bare.operationId,
    });
    expect(await world.reconcileOnce()).toEqual(NOTHING);
    expect(await (await world.operations.job(pausing.operationId))?.isDelayed()).toBe(true);
    expect(await world.operations.queue.getJob(jobIdOf(bare.operationId))).toBeUndefined();
  });

  it('takes up again what was given up without being recorded', async () => {
    const asked = await begun();
    await addJob(asked, { attempts: 1 });
    await world.failJob(asked.operationId, 'the database was away');
    const { operations } = await cli.json<{ operations: unknown[] }>(['failed']);
    expect(operations).toMatchObject([{ operationId: asked.operationId, foundIn: 'queue' }]);
    expect(await world.reconcileOnce()).toEqual({ ...NOTHING, takenUp: 1 });
    expect(await (await world.operations.job(asked.operationId))?.isWaiting()).toBe(true);
  });

  it('gives up what its workers die of, which can be retried by a job that is new', async () => {
    const asked = await begun();
    await addJob(asked, { attempts: 1 });
    await world.failJob(asked.operationId, STALLED);
    expect(await world.reconcileOnce()).toEqual({ ...NOTHING, failedOperations: 1 });
    const failed = { state: 'failed', error: { code: 'failed' }, receipt: { moved: 5 } };
    expect(await rawOperation(world.harness, asked.operationId)).toMatchObject(failed);
    await cli.json(['retry', asked.operationId, '--yes']);
    expect(await world.operations.job(asked.operationId)).toMatchObject({ attemptsMade: 0, stalledCounter: 0 });
    await toTheEnd(world.harness.context.stores, asked, SETTINGS);
    expect(await rawOperation(world.harness, asked.operationId)).toMatchObject({
      state: 'done',
      receipt: { moved: 10 },
    });
  });

  it('ends a claim whose deadline has passed and whose job is lost, with what it has, and its asker hears', async () => {
    const { campaignId } = await world.campaign(2);
    const { harness } = world;
    const worker = await harness.startWorker();
    const claimId = harness.newId('cl');
    const wanted = { operationId: claimId, campaignId, texterId: 't1', count: 5, waitMs: LONG_MS };
    await harness.producer.selfAssign(wanted);
    await until('it to wait', () => harness.isWaiting(claimId));
    await until('its job to be snoozed', async () => (await world.claims.job(claimId))?.isDelayed());
    await worker.close();
    await world.claims.forget(claimId);
    expect(await world.reconcileOnce()).toEqual({ ...NOTHING, made: 1 });
    await world.claims.forget(claimId);
    const past = { $set: { 'waiting.until': new Date(0) } };
    await harness.context.database.claims.updateOne({ _id: claimId }, past);
    expect(await world.reconcileOnce()).toEqual({ ...NOTHING, claimsEnded: 1 });
    expect(await world.claims.job(claimId)).toBeDefined();
    const again = await harness.startWorker();
    const result = await (await harness.producer.selfAssign(wanted)).result();
    expect(result).toMatchObject({ outcome: 'exists', receipt: { moved: 2, shortBecause: 'none-left' } });
    await again.close();
  });

  it('keeps none from its turn because another fails', async () => {
    const [first, second] = [await begun(), await begun()];
    const old = await ended(91);
    const jobs = {
      ensureJob: (each: Parameters<typeof world.jobs.ensureJob>[0], isUnfinished: () => Promise<boolean>) =>
        each.operation?.operationId === first.operationId
          ? Promise.reject(new Error('no'))
          : world.jobs.ensureJob(each, isUnfinished),
      answer: () => Promise.resolve(),
      poolRefilled: () => Promise.resolve(),
      forget: () => Promise.resolve(),
    };
    expect(await world.reconcileOnce({ jobs })).toEqual({ ...NOTHING, made: 1, expired: 1, errors: [new Error('no')] });
    expect(await world.operations.job(second.operationId)).toBeDefined();
    expect(await kept(old)).toBe(false);
  });

  /** Done so many days ago. */
  async function ended(daysAgo: number, state: OperationDoc['state'] = 'done'): Promise<string> {
    const { operationId } = await begun();
    const at = new Date(Date.now() - daysAgo * DAY_MS);
    const endedAt = state === 'done' || state === 'failed' ? at : null;
    const { operations } = world.harness.context.database;
    await operations.updateOne(
      { _id: operationId },
      { $set: { state, acceptedAt: at, endedAt }, $unset: { campaignLock: '' } },
    );
    return operationId;
  }

  async function kept(operationId: string): Promise<boolean> {
    const { operations } = world.harness.context.database;
    return (await operations.countDocuments({ _id: operationId })) === 1;
  }

  it('forgets what ended long ago, with its batches and jobs, and nothing else', async () => {
    const [old, given, recent, long] = [await ended(91), await ended(400, 'failed'), await ended(89), await ended(2)];
    const unfinished = await ended(500, 'running');
    const { operations } = world.harness.context.database;
    await operations.updateOne({ _id: long }, { $set: { acceptedAt: new Date(0) } });
    await addJob({ ...world.request('c', 1), operationId: given });
    const conversations = bytesOf([...(await rawConversations(world.harness)).values()]);
    expect(await world.reconcileOnce({ receiptsKeptDays: 0 })).toMatchObject({ expired: 0, made: 1 });
    expect(await world.reconcileOnce()).toEqual({ ...NOTHING, expired: 2 });
    expect(await Promise.all([old, given, recent, long, unfinished].map(kept))).toEqual([
      false,
      false,
      true,
      true,
      true,
    ]);
    expect(await rawBatches(world.harness, old)).toEqual([]);
    expect(await rawBatches(world.harness, recent)).toHaveLength(1);
    expect(await world.operations.job(given)).toBeUndefined();
    expect(bytesOf([...(await rawConversations(world.harness)).values()])).toBe(conversations);
  });

  it('goes on forgetting where one before it died, and nobody reopens what is half forgotten', async () => {
    const { failures, ledger, database } = world.harness.context;
    const half = await ended(91, 'failed');
    await database.operations.updateOne(
      { _id: half },
      { $set: { error: { code: 'failed', message: '', expected: null, received: null } } },
    );
    expect(await ledger.markExpired(new Date(Date.now() - 90 * DAY_MS))).toEqual([half]);
    await database.batches.deleteMany({ operationId: half });
    expect(await failures.reopen(half)).toBeUndefined();
    expect(await world.reconcileOnce()).toEqual({ ...NOTHING, expired: 1 });
    expect(await kept(half)).toBe(false);
  });

  it('pages through more than it looks at in one go, each once', async () => {
    const { operations } = world.harness.context.database;
    const { operationId } = await begun();
    const { _id, campaignLock, ...doc } = await rawOperation(world.harness, operationId);
    expect([_id, campaignLock]).toEqual([operationId, doc.campaignId]);
    // Many in the same moment: pages must part them by their ids.
    const copies = Array.from({ length: 350 }, (_, at) => ({
      ...doc,
      _id: `copy_${at}`,
      state: at % 3 === 0 ? ('accepted' as const) : ('running' as const),
      acceptedAt: new Date(doc.acceptedAt.getTime() + Math.trunc(at / 150)),
    }));
    await operations.insertMany(copies);
    const seen: string[] = [];
    for await (const page of world.harness.context.ledger.unfinished()) {
      seen.push(...page.map((each) => (each.operation ?? each.claim).operationId));
    }
    expect(seen.sort()).toEqual([operationId, ...copies.map((copy) => copy._id)].sort());
    const old = new Date(Date.now() - 91 * DAY_MS);
    await operations.updateMany({ _id: /^copy_/ }, { $set: { state: 'done', acceptedAt: old, endedAt: old } });
    expect(await world.reconcileOnce()).toMatchObject({ made: 1, expired: 350 });
  });
});
