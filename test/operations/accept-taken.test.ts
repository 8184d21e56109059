import { Worker, type Job } from 'bullmq';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OperationQueue } from '../../src/operations/operation-queue.ts';
import { requestHash } from '../../src/domain/requests.ts';
import { runOperation } from '../../src/operations/lifecycle.ts';
import { parseOperationJob } from '../../src/operations/jobs.ts';
import { JOB_VERSION, OPERATIONS_QUEUE } from '../../src/queue/job.ts';
import { Harness } from '../support/harness.ts';
import { intercepted } from '../support/intercepted-stores.ts';
import { RawQueue } from '../support/raw-queue.ts';
import { SentCommands } from '../support/sent-commands.ts';

/** How many operations of a campaign may wait. */
const QUEUED_MAX = 40;
/** More than one reading of returned jobs for a single move. */
const RETURNED = 30;
const SENT = 6;

describe('the operations of a campaign whose jobs workers have taken', () => {
  let harness: Harness;
  let commands: SentCommands;
  let raw: RawQueue;
  let taker: Worker;
  let queue: OperationQueue;
  let campaignId: string;

  beforeAll(async () => {
    harness = await Harness.open({ queuedMax: QUEUED_MAX });
    commands = await SentCommands.open(harness);
    raw = new RawQueue(harness);
    const { prefix } = harness.config.queue;
    taker = new Worker(OPERATIONS_QUEUE, null, { connection: raw.redis, prefix });
    queue = new OperationQueue(raw.redis, prefix, () => undefined);
  });
  afterAll(async () => {
    await Promise.all([taker.close(), queue.close(), commands.context.close()]);
    await raw.close();
    await harness.close();
  });
  beforeEach(async () => {
    campaignId = await harness.seedCampaign(2);
  });
  afterEach(() => raw.queue.obliterate({ force: true }));

  const send = async (count: number): Promise<string[]> => {
    const ids = Array.from({ length: count }, () => harness.newId('op'));
    const all = { campaignId, from: 'pool', to: { texterIds: ['t1'] }, status: 'any', count: 1 } as const;
    for (const operationId of ids) await harness.producer.reassign({ operationId, ...all });
    return ids;
  };
  const take = async (count: number): Promise<Job[]> => {
    const jobs: Job[] = [];
    for (let at = 0; at < count; at += 1) jobs.push(await taker.getNextJob(`token ${at}`));
    return jobs;
  };
  /** Lets the job of a worker run, as far as the order of sending allows. */
  const mayRun = async (job: Job | undefined, context = commands.context): Promise<boolean> => {
    if (!job) return false;
    const { request } = parseOperationJob(job.id ?? '', job.data);
    return queue.sendingOrder(context).mayRun(job, request, new AbortController().signal);
  };
  const accepted = async (): Promise<string[]> => {
    const found = harness.context.database.operations.find({ campaignId }, { sort: { sequence: 1 } });
    return (await found.toArray()).map(({ _id }) => _id);
  };

  it('are accepted by the first job that runs, in the order of sending and in one transaction', async () => {
    const ids = await send(SENT);
    const jobs = await take(SENT);
    const sent = await commands.during(async () => expect(await mayRun(jobs[2])).toBe(true));
    expect(await accepted()).toEqual(ids);
    expect(sent.filter(({ insert }) => insert === 'operations')).toHaveLength(1);
    expect(sent.filter(({ find }) => find === 'texters')).toHaveLength(1);
    for (const job of jobs) expect(await mayRun(job)).toBe(true);
    expect(await accepted()).toEqual(ids);
  });

  it('leave out a job that no worker can read', async () => {
    const ids = await send(3);
    const jobs = await take(3);
    await raw.redis.hset(raw.queue.toKey(jobs[0]?.id ?? ''), 'data', '{"request":');
    expect(await mayRun(jobs[2])).toBe(true);
    expect(await accepted()).toEqual(ids.slice(1));
  });

  it('include all that went back to the queue before', async () => {
    const ids = await send(RETURNED + 1);
    const jobs = await take(RETURNED + 1);
    for (const [at, job] of jobs.slice(0, RETURNED).entries()) {
      await queue.sendingOrder(commands.context).noteReturn(job);
      await job.moveToDelayed(Date.now() + 60_000, `token ${at}`);
    }
    expect(await mayRun(jobs.at(-1))).toBe(true);
    expect(await accepted()).toEqual(ids);
  });

  it('leave out a job whose id belongs to another operation, as its own worker does', async () => {
    const ids = await send(2);
    const request = { kind: 'undo', operationId: harness.newId('op'), campaignId, undoes: ids[0] };
    await raw.queue.add('operation', { version: JOB_VERSION, sendId: 's', request }, { jobId: 'another' });
    const jobs = await take(3);
    expect(await mayRun(jobs[0])).toBe(true);
    expect(await accepted()).toEqual(ids);
  });

  it('keep their order when their worker has died before it accepted one', async () => {
    const ids = await send(3);
    const jobs = await take(3);
    const stalled = jobs.map((job) => Object.assign(job, { attemptsStarted: 2, stalledCounter: 1 }));
    expect(await mayRun(stalled[1])).toBe(true);
    expect(await accepted()).toEqual(ids);
  });

  it('are accepted one by one when the queue of the campaign has no room for all', async () => {
    await send(QUEUED_MAX + 2);
    const jobs = await take(QUEUED_MAX + 2);
    expect(await mayRun(jobs.at(-1))).toBe(false);
    expect(await accepted()).toEqual([]);
  });

  it('are accepted one by one when one of them cannot be accepted together with the others', async () => {
    const ids = await send(3);
    const [first] = await take(3);
    const stores = intercepted(harness.context.stores, (_, name, call) =>
      name === 'operations.acceptMany' ? Promise.reject(new Error('one is damaged')) : call(),
    );
    expect(await mayRun(first, { ...harness.context, stores })).toBe(true);
    expect(await accepted()).toEqual([]);
    expect(await mayRun(first)).toBe(true);
    expect(await accepted()).toEqual(ids);
  });

  it('are refused by their first run while they wait, although another job has accepted them', async () => {
    const { context } = harness;
    const [running] = await send(1);
    await take(1);
    const ids = await send(2);
    const jobs = await take(2);
    expect(await mayRun(jobs[0])).toBe(true);
    await context.database.operations.updateOne({ _id: running ?? '' }, { $set: { state: 'running' } });
    await context.database.campaigns.updateOne({ _id: campaignId }, { $set: { closed: true } });
    const run = async (at: number, isFirst: boolean) => {
      const job = jobs[at] as Job;
      const { request, sendId } = parseOperationJob(job.id ?? '', job.data);
      const limits = { batchConversationsMax: 10, batchesInFlightMax: 1 };
      const controls = { limits, shouldStop: () => false, ...(isFirst && { firstRunSentAt: job.timestamp }) };
      return runOperation(context, { request, requestHash: requestHash(request), sendId }, controls);
    };
    expect(ids).toHaveLength(2);
    expect(await run(1, false)).toMatchObject({ kind: 'waiting' });
    expect(await run(1, true)).toMatchObject({ kind: 'ended', operation: { error: { code: 'campaign-closed' } } });
  });

  it('wait after one read each, because the process that has accepted them knows them', async () => {
    await send(SENT);
    const jobs = await take(SENT);
    const order = queue.sendingOrder(commands.context);
    const run = async (job: Job) => {
      const { request, sendId } = parseOperationJob(job.id ?? '', job.data);
      expect(await order.mayRun(job, request, new AbortController().signal)).toBe(true);
      const limits = { batchConversationsMax: 10, batchesInFlightMax: 1 };
      const justAccepted = order.justAccepted(job);
      const controls = { limits, shouldStop: () => false, firstRunSentAt: job.timestamp, justAccepted };
      return runOperation(commands.context, { request, requestHash: requestHash(request), sendId }, controls);
    };
    const [first, second, ...others] = jobs as [Job, Job, ...Job[]];
    expect(await run(second)).toMatchObject({ kind: 'waiting' });
    const sent = await commands.during(async () => {
      for (const job of others) expect(await run(job)).toMatchObject({ kind: 'waiting' });
    });
    expect(sent.filter(({ find }) => find === 'operations')).toHaveLength(others.length);
    expect(sent).toHaveLength(others.length);
    await harness.seedConversations(campaignId, [{}]);
    expect(await run(first)).toMatchObject({ kind: 'ended', operation: { state: 'done', receipt: { moved: 1 } } });
    const [closed, alsoClosed] = await send(2).then(() => take(2));
    await harness.context.database.campaigns.updateOne({ _id: campaignId }, { $set: { closed: true } });
    for (const job of [alsoClosed, closed] as [Job, Job]) {
      expect(await run(job)).toMatchObject({ kind: 'ended', operation: { error: { code: 'campaign-closed' } } });
    }
  });

  it('of an unknown campaign are not accepted together', async () => {
    const known = campaignId;
    campaignId = harness.newId('c');
    await send(2);
    const [first] = await take(2);
    expect(await mayRun(first)).toBe(true);
    expect(await accepted()).toEqual([]);
    campaignId = known;
  });
});
