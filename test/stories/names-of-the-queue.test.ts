import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newOperationJob, OPERATION_JOB } from '../../src/operations/jobs.ts';
import { jobIdOf } from '../../src/queue/job.ts';
import { OperationQueue } from '../../src/operations/operation-queue.ts';
import { parseRequest } from '../../src/operations/contract.ts';
import { Harness } from '../support/harness.ts';
import { oneSlice } from '../support/run-operation.ts';
import { SETTINGS, ReconcileSetup } from '../support/reconcile-setup.ts';

const LONG_MS = 3_600_000;
/** BullMQ stores jobs next to keys of its own with these names. Operations with such ids must not collide with them. */
const WORDS = ['wait', 'events', 'marker', 'active', 'delayed', 'completed', 'failed', 'stalled', 'id', 'meta', '42'];

describe('an operation whose id is the name of a key of BullMQ', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
    await harness.startWorker();
  });
  afterAll(() => harness.close());

  it.each(WORDS)('is carried out under the id "%s"', async (operationId) => {
    const campaignId = await harness.seedCampaign(1);
    await harness.seedConversations(campaignId, [{}]);
    const request = { operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' } as const;
    const result = await (await harness.producer.reassign(request)).result();
    expect(result.receipt.moved).toBe(1);
  });

  it('does not disturb later jobs', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: { enabled: true } });
    await harness.seedConversations(campaignId, [{}, {}]);
    const claim = { operationId: 'prioritized', campaignId, texterId: 't1', count: 2 };
    expect((await (await harness.producer.selfAssign(claim)).result()).conversationIds).toHaveLength(2);
  });
});

describe('a reconcile pass for an operation whose id is the name of a key of BullMQ', () => {
  let setup: ReconcileSetup;
  beforeAll(async () => {
    setup = await ReconcileSetup.open({});
  });
  afterAll(() => setup.close());

  it.each(WORDS)('creates the job of "%s" and leaves the keys of BullMQ alone', async (operationId) => {
    const { harness, redis, operations } = setup;
    const { campaignId } = await setup.campaign(20);
    await oneSlice(harness.context.stores, { ...setup.request(campaignId, 10), operationId }, SETTINGS);
    // This job makes BullMQ create its own keys.
    await operations.queue.add('other', {}, { jobId: harness.newId('other') });
    expect(await setup.reconcileOnce()).toMatchObject({ jobsCreated: 1, errors: [] });
    expect(await operations.queue.getJobState(`op-${operationId}`)).toBe('waiting');
    expect(await redis.exists(operations.queue.toKey('meta'))).toBe(1);
  });

  it('finds a job under the bare operation id, to wake it and to remove it', async () => {
    const { harness, redis, operations } = setup;
    const { campaignId } = await setup.campaign(20);
    const asked = setup.request(campaignId, 10);
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
