import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseFailureText } from '../../src/domain/stored-error.ts';
import { OPERATIONS_QUEUE } from '../../src/queue/job.ts';
import { conversationDoc } from '../support/documents.ts';
import { Harness } from '../support/harness.ts';
import { resultOrCode } from '../support/any-request.ts';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';

describe('erasing a person whose name is a common word', () => {
  let harness: Harness;
  let redis: Redis;
  let queue: Queue;
  beforeAll(async () => {
    harness = await Harness.open();
    await harness.startWorker();
    redis = new Redis(harness.config.queue.redisUrl, { maxRetriesPerRequest: null });
    queue = new Queue(OPERATIONS_QUEUE, { connection: redis, prefix: harness.config.queue.prefix });
  });
  afterAll(async () => {
    await queue.close();
    redis.disconnect();
    await harness.close();
  });

  /** A campaign with one contact of this name, and an operation of it that was refused. */
  async function seed(name: string) {
    const campaignId = await harness.seedCampaign(1);
    const doc = conversationDoc(900, { campaignId });
    await harness.seeder.conversations([{ ...doc, contact: { ...doc.contact, name } }]);
    const reason = `An operation for null and ${name}`;
    const request = { operationId: harness.newId('op'), campaignId, from: 'pool', status: 'any', reason } as const;
    const send = async (): Promise<unknown> =>
      resultOrCode(
        harness.producer.reassign({ ...request, to: { texterIds: ['nobody'] } }).then((sent) => sent.result()),
      );
    expect(await send()).toBe('unknown-texter');
    return { campaignId, conversationId: doc._id.toHexString(), jobId: `op-${request.operationId}`, send };
  }

  /** Writes a failure whose JSON has the word as a value of its own. */
  async function failWithNull(jobId: string, message: string): Promise<void> {
    const failure = `permanent ${JSON.stringify({ code: 'unknown-texter', message, expected: null, received: null })}`;
    await redis.hset(queue.toKey(jobId), 'failedReason', failure);
    await redis.xadd(queue.toKey('events'), '*', 'event', 'failed', 'jobId', jobId, 'failedReason', failure);
  }

  const failureOf = async (jobId: string): Promise<string> =>
    (await redis.hget(queue.toKey(jobId), 'failedReason')) ?? '';

  it('keeps the failure of a job readable, so that the job does not run again', async () => {
    const { campaignId, conversationId, jobId, send } = await seed('Null');
    await failWithNull(jobId, 'no texter for null');
    await harness.producer.erase({ campaignId, conversationId });
    expect(await failureOf(jobId)).not.toMatch(/for null/);
    expect(parseFailureText(await failureOf(jobId))).toMatchObject({ code: 'unknown-texter' });
    expect(await send()).toBe('unknown-texter');
    const { attemptsStarted } = (await queue.getJob(jobId)) as { readonly attemptsStarted: number };
    expect(attemptsStarted).toBe(1);
  });

  it('changes no job and no event of another campaign', async () => {
    const other = await seed('Other Person');
    await failWithNull(other.jobId, 'no texter for null');
    const before = await failureOf(other.jobId);
    const events = await redis.xlen(queue.toKey('events'));
    const { campaignId, conversationId, jobId } = await seed('Null');
    const after = await redis.xlen(queue.toKey('events'));
    await harness.producer.erase({ campaignId, conversationId });
    expect(await failureOf(other.jobId)).toBe(before);
    expect(((await queue.getJob(other.jobId)) as { data: object }).data).toMatchObject({
      request: { reason: 'An operation for null and Other Person' },
    });
    expect(((await queue.getJob(jobId)) as { data: object }).data).toMatchObject({
      request: { reason: 'An operation for [erased] and [erased]' },
    });
    expect(await redis.xlen(queue.toKey('events'))).toBe(after);
    expect(after).toBeGreaterThan(events);
  });

  it('leaves a short word as it is, and removes a short name of two words', async () => {
    for (const [name, reason] of [
      ['An', 'An operation for null and An'],
      ['An Li', 'An operation for null and [erased]'],
    ] as const) {
      const { campaignId, conversationId, jobId } = await seed(name);
      await harness.producer.erase({ campaignId, conversationId });
      expect(((await queue.getJob(jobId)) as { data: object }).data).toMatchObject({ request: { reason } });
      const operation = await harness.context.database.operations.findOne({ campaignId });
      expect(operation?.request).toMatchObject({ reason });
    }
  });
});
