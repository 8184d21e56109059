import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newOperationJob, OPERATION_JOB } from '../../src/operations/jobs.ts';
import { jobIdOf } from '../../src/queue/job-id.ts';
import { OperationQueue } from '../../src/operations/operation-queue.ts';
import { parseRequest } from '../../src/operations/contract.ts';
import { Harness } from '../support/harness.ts';
import { oneSlice } from '../support/run-operation.ts';
import { SETTINGS, ReconcileWorld } from '../support/reconcile-world.ts';

/** The queue keeps jobs beside keys of its own: an operation's id must never be able to stand in for one. */
const LONG_MS = 3_600_000;
const WORDS = ['wait', 'events', 'marker', 'active', 'delayed', 'completed', 'failed', 'stalled', 'id', 'meta', '42'];

describe('an operation whose id is a word of the queue', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
    await harness.startWorker();
  });
  afterAll(() => harness.close());

  it.each(WORDS)('"%s" is one like any other', async (operationId) => {
    const campaignId = await harness.seedCampaign(1);
    await harness.seedConversations(campaignId, [{}]);
    const request = { operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' } as const;
    const result = await (await harness.producer.reassign(request)).result();
    expect(result.receipt.moved).toBe(1);
  });

  it('leaves the queue fit for the next', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: { enabled: true } });
    await harness.seedConversations(campaignId, [{}, {}]);
    const claim = { operationId: 'prioritized', campaignId, texterId: 't1', count: 2 };
    expect((await (await harness.producer.selfAssign(claim)).result()).conversationIds).toHaveLength(2);
  });
});

describe('a reconcile that looks for the job of an operation with such an id', () => {
  let world: ReconcileWorld;
  beforeAll(async () => {
    world = await ReconcileWorld.open({});
  });
  afterAll(() => world.close());

  it.each(WORDS)('"%s" makes it anew, and leaves the queue its own', async (operationId) => {
    const { harness, redis, operations } = world;
    const { campaignId } = await world.campaign(20);
    await oneSlice(harness.context.stores, { ...world.request(campaignId, 10), operationId }, SETTINGS);
    // So that the queue has keys of its own.
    await operations.queue.add('other', {}, { jobId: harness.newId('other') });
    expect(await world.reconcileOnce()).toMatchObject({ made: 1, errors: [] });
    expect(await operations.queue.getJobState(`op-${operationId}`)).toBe('waiting');
    expect(await redis.exists(operations.queue.toKey('meta'))).toBe(1);
  });

  it('takes a job that was made under the bare id for the operation’s, to wake and to forget it', async () => {
    const { harness, redis, operations } = world;
    const { campaignId } = await world.campaign(20);
    const asked = world.request(campaignId, 10);
    const { operationId } = asked;
    const { operation } = await oneSlice(harness.context.stores, asked, SETTINGS);
    const job = newOperationJob(parseRequest(asked), 'test');
    await operations.queue.add(OPERATION_JOB, job, { jobId: operationId, delay: LONG_MS });
    const queue = new OperationQueue(redis, harness.config.queue.prefix, () => undefined);
    await queue.wake(operation);
    expect(await operations.queue.getJobState(operationId)).toBe('waiting');
    expect(await operations.queue.getJob(jobIdOf(operationId))).toBeUndefined();
    await queue.forget(operationId);
    expect(await operations.queue.getJob(operationId)).toBeUndefined();
    await queue.close();
  });
});
