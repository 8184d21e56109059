import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseRequest } from '../../src/operations/contract.ts';
import { newOperationJob, OPERATION_JOB, operationJobOptions } from '../../src/operations/jobs.ts';
import { OperationQueue } from '../../src/operations/operation-queue.ts';
import { CLAIMS_QUEUE } from '../../src/queue/job.ts';
import { removeEnded } from '../../src/queue/job-state.ts';
import { backUp } from '../support/backup.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';
import { rawConversations, rawOperation } from '../support/raw.ts';
import { RawQueue } from '../support/raw-queue.ts';
import { ReconcileSetup } from '../support/reconcile-setup.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const LONG_MS = 3_600_000;

let harness: Harness;
beforeEach(async () => {
  harness = await Harness.open({ reconcileEveryMs: LONG_MS });
});
afterEach(() => harness.close());

/** A campaign with ten conversations in the pool, and one request of each way in which operations run. */
async function seed() {
  const campaignId = await harness.seedCampaign(2, { selfAssign: { enabled: true } });
  const ids = await harness.seedConversations(
    campaignId,
    Array.from({ length: 10 }, (_, at) => ({ waitedMs: (10 - at) * 1_000 })),
  );
  const id = () => ({ operationId: harness.newId('op'), campaignId });
  const bulk = { ...id(), from: 'pool', to: { texterIds: ['t1'] }, status: 'any', count: 6 } as const;
  const one = { ...id(), conversationId: ids[9] ?? '', to: { texterIds: ['t2'] as [string] } };
  const claim = { ...id(), texterId: 't2', count: 2 };
  return { campaignId, bulk, one, claim };
}

type Seeded = Awaited<ReturnType<typeof seed>>;

async function sendAll({ bulk, one, claim }: Seeded) {
  const { producer } = harness;
  const moved = await (await producer.reassign(bulk)).result();
  const single = await (await producer.reassignOne(one)).result();
  const granted = await (await producer.selfAssign(claim)).result();
  return [moved, single, granted].map(({ outcome, receipt }) => [outcome, receipt.moved]);
}

/** Reads past the stores who has how many conversations, and by which operations they moved. */
async function assigned({ campaignId }: Seeded): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { assigneeId, lastOperationId } of (await rawConversations(harness, campaignId)).values()) {
    const key = `${assigneeId ?? 'pool'} ${lastOperationId ?? 'never'}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

const afterAll3 = ({ bulk, one, claim }: Seeded) => ({
  [`t1 ${bulk.operationId}`]: 6,
  [`t2 ${one.operationId}`]: 1,
  [`t2 ${claim.operationId}`]: 2,
  'pool never': 1,
});

describe('a database that was restored from a backup', () => {
  it('runs what it does not know when it is sent again, at once and only once', async () => {
    await harness.startWorker();
    const seeded = await seed();
    const restore = await backUp(harness);
    expect(await sendAll(seeded)).toEqual([['created', 6], ['created', 1], ['created', 2]]); // prettier-ignore
    expect(await assigned(seeded)).toEqual(afterAll3(seeded));
    await restore();
    expect(await assigned(seeded)).toEqual({ 'pool never': 10 });
    expect(await sendAll(seeded)).toEqual([['created', 6], ['created', 1], ['created', 2]]); // prettier-ignore
    expect(await assigned(seeded)).toEqual(afterAll3(seeded));
    expect(await sendAll(seeded)).toEqual([['exists', 6], ['exists', 1], ['exists', 2]]); // prettier-ignore
    expect(await assigned(seeded)).toEqual(afterAll3(seeded));
    expect(await rawOperation(harness, seeded.bulk.operationId)).toMatchObject({
      state: 'done',
      receipt: { moved: 6 },
    });
  });

  it('decides about an operation that is asked for by its id, and about one that was refused', async () => {
    await harness.startWorker();
    const seeded = await seed();
    const restore = await backUp(harness);
    await sendAll(seeded);
    await harness.pause(seeded.campaignId, 't1');
    const refused = { ...seeded.bulk, operationId: harness.newId('op'), count: 1 };
    const sendRefused = async () => (await harness.producer.reassign(refused)).result();
    await expect(sendRefused()).rejects.toMatchObject({ code: 'target-inactive' });
    await expect(sendRefused()).rejects.toMatchObject({ code: 'target-inactive' });
    await restore();
    const asked = harness.producer.result(seeded.bulk.operationId);
    await expect(asked).rejects.toMatchObject({ code: 'unknown-operation' });
    expect(await sendRefused()).toMatchObject({ state: 'done', receipt: { moved: 1 } });
  });

  it('is noticed by the next reconcile pass: the log and doctor say so, and Redis forgets its answers', async () => {
    const worker = await WorkerProcess.start(harness, { BATON_RECONCILE_EVERY_MS: '200' });
    const cli = new Cli(cliEnv(harness.config));
    const seeded = await seed();
    const queue = new RawQueue(harness);
    const claims = new RawQueue(harness, CLAIMS_QUEUE);
    const passes = async () => (await harness.context.database.schema.findOne({ _id: 'schema' }))?.age?.pass ?? 0;
    await until('a pass', async () => (await passes()) > 0);
    const restore = await backUp(harness);
    const before = await passes();
    await sendAll(seeded);
    await until('two more passes', async () => (await passes()) > before + 1);
    expect((await cli.run(['doctor'])).out).not.toContain('database age');
    await restore((collection) => collection === 'schema');
    await until('the log to say so', () => worker.logText.includes('MongoDB is older than Redis has seen it'));
    await restore((collection) => collection !== 'schema');
    for (const each of [seeded.bulk, seeded.one]) {
      await until('Redis to forget the answer', async () => (await queue.job(each.operationId)) === undefined);
    }
    await until('Redis to forget the claim', async () => (await claims.job(seeded.claim.operationId)) === undefined);
    const doctor = await until('doctor to say so', async () => {
      const { out } = await cli.run(['doctor']);
      return out.includes('! database age') && out;
    });
    expect(doctor).toMatch(/! database age +went back from \S+ to \S+, noticed at \S+: if it was restored/);
    expect(worker.logText.match(/MongoDB is older than Redis/g)).toHaveLength(1);
    const forgotten = [...worker.logText.matchAll(/"answersForgotten":(\d+)/g)].map(([, count]) => Number(count));
    expect(forgotten.reduce((sum, count) => sum + count, 0)).toBe(3);
    expect(await sendAll(seeded)).toEqual([['created', 6], ['created', 1], ['created', 2]]); // prettier-ignore
    expect(await assigned(seeded)).toEqual(afterAll3(seeded));
    await worker.kill();
    await Promise.all([queue.close(), claims.close()]);
  });

  it('leaves in Redis a job that was sent again while answers are forgotten', async () => {
    await harness.startWorker();
    const seeded = await seed();
    await sendAll(seeded);
    const queue = new RawQueue(harness);
    const job = await queue.job(seeded.bulk.operationId);
    if (!job) throw new Error('the job of the operation is gone');
    await queue.queue.pause();
    await (await queue.job(seeded.bulk.operationId))?.retry('completed');
    expect(await removeEnded(queue.queue, job)).toBe(false);
    expect(await queue.job(seeded.bulk.operationId)).toBeDefined();
    await queue.queue.resume();
    await until('the job to end again', async () => (await queue.job(seeded.bulk.operationId))?.isCompleted());
    const again = await queue.job(seeded.bulk.operationId);
    expect(again && (await removeEnded(queue.queue, again))).toBe(true);
    expect(await queue.job(seeded.bulk.operationId)).toBeUndefined();
    await queue.close();
  });

  it('leaves in Redis the failed job that is the only trace of an operation', async () => {
    const setup = await ReconcileSetup.open({ reconcileEveryMs: LONG_MS });
    const asked = setup.request((await setup.campaign(3)).campaignId, 3);
    const data = newOperationJob(parseRequest(asked), 'send_1');
    const once = { ...operationJobOptions(asked.operationId), attempts: 1 };
    await setup.operations.queue.add(OPERATION_JOB, data, once);
    await setup.failJob(asked.operationId, 'the connection was lost');
    const operations = new OperationQueue(setup.redis, setup.harness.config.queue.prefix, () => undefined);
    expect(await operations.forgetUnknown(() => Promise.resolve(new Set()))).toBe(0);
    expect(await (await setup.operations.job(asked.operationId))?.isFailed()).toBe(true);
    await operations.close();
    await setup.close();
  });
});
