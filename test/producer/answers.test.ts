import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { QueueUnavailable, Refusal } from '../../src/domain/errors.ts';
import type { Producer } from '../../src/producer/producer-port.ts';
import { createProducer } from '../../src/producer/producer.ts';
import { CLAIMS_QUEUE, jobIdOf, OPERATIONS_QUEUE } from '../../src/queue/job.ts';
import { Harness, many } from '../support/harness.ts';
import { pauseReconcile } from '../support/raw-queue.ts';
import { oneSlice, runToEnd } from '../support/run-operation.ts';

describe('the answers of operations whose jobs the queue has forgotten', () => {
  let harness: Harness;
  let campaignId: string;
  let redis: Redis;
  let queues: Queue[];
  /** A producer of another process, which has sent nothing. */
  let other: Producer;
  beforeAll(async () => {
    harness = await Harness.open();
    const { redisUrl, prefix } = harness.config.queue;
    redis = new Redis(redisUrl, { maxRetriesPerRequest: null });
    queues = [OPERATIONS_QUEUE, CLAIMS_QUEUE].map((name) => new Queue(name, { connection: redis, prefix }));
    other = createProducer(harness.config.queue);
    campaignId = await harness.seedCampaign(2, { selfAssign: { enabled: true } });
    await harness.seedConversations(campaignId, many(15));
  });
  afterAll(async () => {
    await other.close();
    await Promise.all(queues.map((queue) => queue.close()));
    await redis.quit();
    await harness.close();
  });

  async function forget(operationId: string): Promise<void> {
    await Promise.all(queues.map((queue) => queue.remove(jobIdOf(operationId))));
  }

  const reassign = (operationId: string, texterId = 't1') => ({
    ...({ operationId, campaignId, from: 'pool', to: { texterIds: [texterId] } } as const),
    ...({ status: 'any', count: 2 } as const),
  });

  it('can be awaited by id before a worker has accepted the operation', async () => {
    const operationId = harness.newId('op');
    await harness.producer.reassign(reassign(operationId));
    const result = other.result(operationId);
    await harness.startWorker();
    expect(await result).toMatchObject({ operationId, outcome: 'exists', state: 'done', receipt: { moved: 2 } });
  });

  it('are awaited on when the job vanishes before the operation has ended', async () => {
    await pauseReconcile(harness);
    await harness.startWorker();
    await queues[0]?.pause();
    const request = { kind: 'reassign', ...reassign(harness.newId('op'), 't2'), count: 5 } as const;
    await oneSlice(harness.context.stores, request);
    const { kind: _, ...sent } = request;
    await harness.producer.reassign(sent);
    const result = other.result(request.operationId);
    const early = await Promise.race([result.catch((error: unknown) => error), delay(500, 'waits')]);
    expect(early).toBe('waits');
    await forget(request.operationId);
    const late = await Promise.race([result.catch((error: unknown) => error), delay(8_000, 'waits')]);
    expect(late).toBe('waits');
    await runToEnd(harness.context.stores, request);
    expect(await result).toMatchObject({ state: 'done', receipt: { moved: 5 } });
    await queues[0]?.resume();
  });

  it('come from the database, for the sender and for another process', async () => {
    const operationId = harness.newId('op');
    const sent = await harness.producer.reassign(reassign(operationId));
    const first = await sent.result();
    await forget(operationId);
    expect(await sent.result()).toEqual(first);
    expect(await other.result(operationId)).toEqual({ ...first, outcome: 'exists' });
    const expected = { operationId, campaignId, kind: 'reassign', state: 'done', receipt: first.receipt, error: null };
    expect(await other.get(operationId)).toMatchObject(expected);
  });

  it('have the conversations of a claim', async () => {
    const operationId = harness.newId('cl');
    const sent = await harness.producer.selfAssign({ operationId, campaignId, texterId: 't1', count: 2 });
    const first = await sent.result();
    expect(first.conversationIds).toHaveLength(2);
    const { conversationIds } = await other.result(operationId);
    expect(conversationIds).toEqual(first.conversationIds);
    await forget(operationId);
    expect(await sent.result()).toEqual(first);
    expect(await other.result(operationId)).toMatchObject({ state: 'done', conversationIds });
    expect(await other.get(operationId)).toMatchObject({ kind: 'self-assign', conversationIds });
  });

  it('have the refusal of an operation that was refused', async () => {
    const operationId = harness.newId('op');
    const sent = await harness.producer.reassign(reassign(operationId, 'ghost'));
    await expect(sent.result()).rejects.toMatchObject({ code: 'unknown-texter' });
    await forget(operationId);
    await expect(sent.result()).rejects.toMatchObject({ code: 'unknown-texter' });
    await expect(other.result(operationId)).rejects.toBeInstanceOf(Refusal);
    expect(await other.get(operationId)).toMatchObject({ state: 'failed', error: { code: 'unknown-texter' } });
  });

  it('are refused with unknown-operation for an id that no worker has accepted', async () => {
    await expect(other.get('nothing')).rejects.toMatchObject({ code: 'unknown-operation' });
    await expect(other.result('nothing')).rejects.toMatchObject({ code: 'unknown-operation' });
    await expect(other.get('not an id')).rejects.toMatchObject({ code: 'bad-request' });
  });

  it('are unavailable when Redis lost a request that no worker has accepted', async () => {
    const operationId = harness.newId('op');
    await queues[0]?.pause();
    const sent = await harness.producer.reassign(reassign(operationId));
    await forget(operationId);
    await expect(sent.result()).rejects.toBeInstanceOf(QueueUnavailable);
    await queues[0]?.resume();
  });
});
