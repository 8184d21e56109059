import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { retry } from '../../src/reconcile/retry.ts';
import { CLAIM_JOB, CLAIM_JOB_OPTIONS, newClaimJob } from '../../src/claims/contract.ts';
import { newOperationJob, OPERATION_JOB, OPERATION_JOB_OPTIONS } from '../../src/operations/jobs.ts';
import { MongoClaimStore } from '../../src/claims/claim-store.ts';
import { MongoOperationStore } from '../../src/operations/operation-store.ts';
import { CLAIMS_QUEUE, jobIdOf, OPERATIONS_QUEUE } from '../../src/queue/job.ts';
import { withFailedJobs } from '../../src/reconcile/failed-jobs.ts';
import { parseRequest } from '../../src/operations/contract.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness, many } from '../support/harness.ts';
import { intercepted } from '../support/intercepted-stores.ts';
import { oneSlice, runToEnd } from '../support/run-operation.ts';
import { pauseReconcile, RawQueue } from '../support/raw-queue.ts';
import { idsOf, rawBatches, rawConversations, rawOperation } from '../support/raw.ts';
import type { BulkInput } from '../support/any-request.ts';
import { until } from '../support/until.ts';

const CONVERSATIONS = 40;
const BATCH = 5;
/** As in production, but with fewer attempts and shorter delays. */
const SOON = { attempts: 3, backoff: { type: 'fixed', delay: 10 } } as const;

interface Listed {
  readonly operations: readonly {
    readonly operationId: string;
    readonly campaignId: string;
    readonly kind: string;
    readonly foundIn: string;
    readonly attempts: number;
    readonly error: string;
    readonly failures: readonly { readonly at: string; readonly message: string }[];
  }[];
}

interface Retried {
  readonly dryRun: boolean;
  readonly operations: readonly { readonly operationId: string; readonly isRetried?: boolean }[];
}

describe('a failed operation', () => {
  let harness: Harness;
  let queue: RawQueue;
  let cli: Cli;
  beforeAll(async () => {
    harness = await Harness.open({ batchConversationsMax: BATCH, batchesInFlightMax: 1 });
    queue = new RawQueue(harness);
    cli = new Cli(cliEnv(harness.config));
    await pauseReconcile(harness);
    await harness.startWorker();
  });
  afterAll(async () => {
    await queue.close();
    await harness.close();
  });

  async function campaign(): Promise<string> {
    const campaignId = await harness.seedCampaign(3);
    const seeded = Array.from({ length: CONVERSATIONS }, (_, at) => ({ waitedMs: (CONVERSATIONS - at) * 1_000 }));
    await harness.seedConversations(campaignId, seeded);
    return campaignId;
  }

  const request = (campaignId: string, count: number): BulkInput => {
    const asked = { operationId: harness.newId('op'), campaignId, from: 'pool', to: 'everyone' } as const;
    return { kind: 'reassign', ...asked, status: 'any', count };
  };

  /** Sends a job that uses up its attempts soon. */
  async function sendSoon(input: BulkInput): Promise<void> {
    const options = { ...OPERATION_JOB_OPTIONS, ...SOON, jobId: jobIdOf(input.operationId) };
    await queue.queue.add(OPERATION_JOB, newOperationJob(parseRequest(input), 'test'), options);
  }

  const failed = async (operationId: string): Promise<unknown> =>
    until(`${operationId} to fail`, async () => {
      const job = await queue.job(operationId);
      return (await rawOperation(harness, operationId)).state === 'failed' && job?.isFailed();
    });

  const done = async (operationId: string): Promise<unknown> =>
    until(`${operationId} to be done`, async () => (await rawOperation(harness, operationId)).state === 'done');

  const listed = async (...args: string[]): Promise<Listed['operations']> =>
    (await cli.json<Listed>(['failed', ...args])).operations;

  /** Runs half of an operation, and then damages its plan so that every further attempt throws. */
  async function poisoned(campaignId: string, count: number): Promise<{ input: BulkInput; plan: unknown }> {
    const input = request(campaignId, count);
    const { stores } = harness.context;
    for (let turn = 0; turn < 3; turn += 1) {
      await oneSlice(stores, input, { batchConversationsMax: BATCH, batchesInFlightMax: 1 });
    }
    const { plan } = await rawOperation(harness, input.operationId);
    const _id = input.operationId;
    await harness.context.database.operations.updateOne({ _id }, { $set: { 'plan.targets': 'no list' } });
    await sendSoon(input);
    return { input, plan };
  }

  async function repair(operationId: string, plan: unknown): Promise<void> {
    await harness.context.database.operations.updateOne({ _id: operationId }, { $set: { plan: plan as never } });
  }

  /** Each conversation moved once, every batch is applied, and the end marker is the last batch. */
  async function expectExact(campaignId: string, operationId: string, count: number): Promise<void> {
    const docs = [...(await rawConversations(harness, campaignId)).values()];
    const mine = docs.filter(({ history }) => history.some((move) => move.operationId === operationId));
    expect(mine).toHaveLength(count);
    for (const { history } of mine) expect(history.filter((move) => move.operationId === operationId)).toHaveLength(1);
    const batches = await rawBatches(harness, operationId);
    expect(batches.map(({ state }) => state)).toEqual([...batches.slice(1).map(() => 'applied'), 'end-marker']);
    expect(batches.map(({ number }) => number)).toEqual(batches.map((_, at) => at + 1));
    const moved = idsOf(batches.flatMap(({ moves }) => moves)).sort();
    expect(moved).toEqual(mine.map(({ _id }) => _id.toHexString()).sort());
    expect((await rawOperation(harness, operationId)).receipt).toMatchObject({ moved: count, selected: count });
  }

  it('does not block others, is listed with its failures, and continues where it stopped when retried', async () => {
    const campaignId = await campaign();
    const { input, plan } = await poisoned(campaignId, 25);
    const { operationId } = input;
    const behind = await harness.producer.reassign(request(campaignId, 10) as never);
    expect((await behind.result()).receipt.moved).toBe(10);
    await failed(operationId);
    const [shown] = await listed(campaignId);
    expect(shown).toMatchObject({ operationId, campaignId, kind: 'reassign', foundIn: 'database', attempts: 3 });
    expect(shown?.failures.map(({ message }) => message)).toEqual(Array.from({ length: 3 }, () => shown?.error));
    expect(shown?.error).toMatch(/^TypeError: /);
    const moments = shown?.failures.map(({ at }) => Date.parse(at)) ?? [];
    expect(moments).toEqual(moments.toSorted((a, b) => a - b));
    expect((await cli.run(['operation', operationId])).out).toContain('Attempts that failed:');
    expect((await rawOperation(harness, operationId)).receipt).toMatchObject({ moved: 15, shortBecause: 'stopped' });

    await repair(operationId, plan);
    const dry = await cli.json<Retried>(['retry', '--campaign', campaignId]);
    expect(dry).toMatchObject({ dryRun: true, operations: [{ operationId }] });
    expect(await rawOperation(harness, operationId)).toMatchObject({ state: 'failed' });
    const retried = await cli.json<Retried>(['retry', '--campaign', campaignId, '--yes']);
    expect(retried).toEqual({ dryRun: false, operations: [{ operationId, isRetried: true }] });
    await done(operationId);
    await expectExact(campaignId, operationId, 25);
    await expectExact(campaignId, behind.operationId, 10);
    expect(await harness.loads(campaignId)).toMatchObject({ pool: 5 });
    expect((await rawOperation(harness, operationId)).failures).toHaveLength(3);
    expect(await listed(campaignId)).toEqual([]);
  });

  it('answers its stored failure in plain words when its request is sent again, and stays listed once', async () => {
    const campaignId = await campaign();
    const { input } = await poisoned(campaignId, 25);
    const { operationId } = input;
    await failed(operationId);
    const { message } = (await rawOperation(harness, operationId)).error ?? {};
    for (let repetition = 0; repetition < 2; repetition += 1) {
      const sent = await harness.producer.reassign(input as never);
      await expect(sent.result()).rejects.toMatchObject({ name: 'JobFailed', code: 'operation-failed', message });
    }
    expect(await listed(campaignId)).toMatchObject([{ operationId, foundIn: 'database', error: message }]);
    const { out } = await cli.run(['operation', operationId]);
    expect(out).toContain(`It failed (attempts-exhausted): ${message}`);
    expect(await cli.json<Retried>(['retry', operationId])).toMatchObject({ operations: [{ operationId }] });
  });

  it('is reopened once by several retries, behind the operations accepted since', async () => {
    const campaignId = await campaign();
    const { input, plan } = await poisoned(campaignId, 25);
    const { operationId } = input;
    await failed(operationId);
    const before = await rawOperation(harness, operationId);
    await (await harness.producer.reassign(request(campaignId, 5) as never)).result();
    await repair(operationId, plan);
    const each = { operationId, foundIn: 'database' } as never;
    const taken = await withFailedJobs(harness.config.queue, async (jobs) => {
      const deps = { failures: harness.context.failures, operationViews: harness.context.operationViews, jobs };
      return Promise.all(Array.from({ length: 5 }, () => retry(deps, each)));
    });
    expect(taken.filter((isTakenUp) => isTakenUp)).toHaveLength(1);
    await done(operationId);
    await expectExact(campaignId, operationId, 25);
    const after = await rawOperation(harness, operationId);
    expect(after).toMatchObject({ reopened: 1, sequence: before.sequence + 2 });
  });

  it('is not changed after its reopening by a process that was still ending it', async () => {
    const campaignId = await campaign();
    const { stores, failures } = harness.context;
    const input = request(campaignId, 25);
    const how = { batchConversationsMax: BATCH, batchesInFlightMax: 1 };
    const { operation } = await oneSlice(stores, input, how);
    const noApplying = intercepted(stores, (_number, name, call) =>
      name === 'batches.apply' ? Promise.reject(new Error('no')) : call(),
    );
    await expect(oneSlice(noApplying, input, how)).rejects.toThrow('no');
    const given = { code: 'attempts-exhausted', message: 'attempts used up', expected: null, received: null };
    await stores.operations.recordError(operation, given);
    await stores.batches.stop(operation);
    const ending = { state: 'failed' as const, at: new Date(), receipt: null, error: given };
    await stores.operations.end(operation, () => Promise.resolve(ending));
    const states = async (): Promise<string[]> =>
      (await rawBatches(harness, input.operationId)).map(({ state }) => state);
    expect(await states()).toEqual(['applied', 'dropped', 'end-marker']);
    expect(await failures.reopen(input.operationId)).toMatchObject({ state: 'accepted', reopened: 1, error: null });
    expect(await failures.reopen(input.operationId)).toBeUndefined();
    // The writes that a delayed process would still make when it ends the operation.
    await stores.operations.recordError(operation, given);
    await stores.batches.stop(operation);
    const ended = await stores.operations.end(operation, () => Promise.resolve(ending));
    expect(ended).toMatchObject({ state: 'accepted', error: null });
    expect(await states()).toEqual(['applied', 'planned']);
    await runToEnd(stores, input, how);
    await expectExact(campaignId, input.operationId, 25);
  });

  it('continues with the next operation when the process that reopened it died before it created the job', async () => {
    const campaignId = await campaign();
    const { input, plan } = await poisoned(campaignId, 25);
    await failed(input.operationId);
    await repair(input.operationId, plan);
    await harness.context.failures.reopen(input.operationId);
    await (await harness.producer.reassign(request(campaignId, 5) as never)).result();
    await done(input.operationId);
    await expectExact(campaignId, input.operationId, 25);
  });

  it('is not retryable when it was refused, is done, is running, or does not exist', async () => {
    const campaignId = await campaign();
    const codeOf = async (operationId: string): Promise<string> => (await cli.refusal(['retry', operationId])).code;
    const refused = { ...request(campaignId, 1), from: { texterIds: ['nobody'] } };
    const sent = await harness.producer.reassign(refused as never);
    await expect(sent.result()).rejects.toMatchObject({ code: 'unknown-texter' });
    const ended = await harness.producer.reassign(request(campaignId, 1) as never);
    await ended.result();
    const going = request(campaignId, 1);
    await oneSlice(harness.context.stores, going);
    expect(await codeOf(refused.operationId)).toBe('not-retryable');
    expect(await codeOf(ended.operationId)).toBe('not-retryable');
    expect(await codeOf(going.operationId)).toBe('not-retryable');
    expect(await codeOf('nothing')).toBe('unknown-operation');
    expect(await listed(campaignId)).toEqual([]);
    expect(await harness.context.failures.reopen(refused.operationId)).toBeUndefined();
  });
});

describe('an operation and a claim whose attempts all failed before they were stored', () => {
  let harness: Harness;
  let cli: Cli;
  const queues: RawQueue[] = [];

  beforeAll(async () => {
    harness = await Harness.open();
    cli = new Cli(cliEnv(harness.config));
    await harness.startWorker();
    queues.push(new RawQueue(harness, OPERATIONS_QUEUE), new RawQueue(harness, CLAIMS_QUEUE));
  });
  afterAll(async () => {
    for (const queue of queues) await queue.close();
    await harness.close();
  });

  it('are listed although the database lacks them, and retried from their jobs', async () => {
    const campaignId = await harness.seedCampaign(2, { selfAssign: { enabled: true } });
    await harness.seedConversations(campaignId, many(10));
    const [operations, claims] = queues as [RawQueue, RawQueue];
    const asked = { campaignId, from: 'pool', to: { texterIds: ['t1'] }, status: 'any', count: 4 } as const;
    const operation = parseRequest({ kind: 'reassign', operationId: harness.newId('op'), ...asked });
    const claimed = { campaignId, texterId: 't2', count: 3 } as const;
    const claim = { kind: 'self-assign', operationId: harness.newId('cl'), ...claimed } as const;
    const broken = [
      vi.spyOn(MongoOperationStore.prototype, 'accept').mockRejectedValue(new Error('accepting fails')),
      vi.spyOn(MongoClaimStore.prototype, 'inRound').mockRejectedValue(new Error('serving fails')),
    ];
    const options = (operationId: string) => ({ ...SOON, jobId: jobIdOf(operationId) });
    await operations.queue.add(OPERATION_JOB, newOperationJob(operation, 'test'), {
      ...OPERATION_JOB_OPTIONS,
      ...options(operation.operationId),
    });
    await claims.queue.add(CLAIM_JOB, newClaimJob(claim, 'test'), {
      ...CLAIM_JOB_OPTIONS,
      ...options(claim.operationId),
    });
    await until('both jobs to fail', async () => {
      const [ofOperation, ofClaim] = [await operations.job(operation.operationId), await claims.job(claim.operationId)];
      return (await ofOperation?.isFailed()) && (await ofClaim?.isFailed());
    });
    for (const spy of broken) spy.mockRestore();
    expect(await harness.context.database.operations.countDocuments({})).toBe(0);
    const { operations: listed } = await cli.json<Listed>(['failed']);
    expect(listed.map(({ kind, foundIn, attempts }) => [kind, foundIn, attempts])).toEqual([
      ['reassign', 'queue', 3],
      ['self-assign', 'queue', 3],
    ]);

    const retried = await cli.json<Retried>(['retry', '--all', '--yes']);
    expect(retried.operations.map(({ isRetried }) => isRetried)).toEqual([true, true]);
    await until('both to be done', async () => {
      return (await harness.context.database.operations.countDocuments({ state: 'done' })) === 2;
    });
    expect(await harness.loads(campaignId)).toEqual({ t1: 4, t2: 3, pool: 3 });
    expect((await cli.json<Listed>(['failed'])).operations).toEqual([]);
  });
});
