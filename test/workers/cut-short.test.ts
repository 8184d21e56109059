import { Worker } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogger } from '../../src/logger.ts';
import { ClaimQueue } from '../../src/queue/claim-queue.ts';
import { connectWorker } from '../../src/queue/connection.ts';
import { OPERATIONS_QUEUE, OPERATION_JOB_OPTIONS } from '../../src/queue/contract.ts';
import { OperationQueue } from '../../src/queue/operation-queue.ts';
import { AfterEnd } from '../../workers/after-end.ts';
import { processorOf } from '../../workers/executor.ts';
import { OperationHandler } from '../../workers/operation-handler.ts';
import { Pace } from '../../workers/pace.ts';
import { Harness } from '../support/harness.ts';
import { watched } from '../support/interposed.ts';

const BATCHES = 3 * OPERATION_JOB_OPTIONS.attempts;

describe('an operation whose database fails again and again', () => {
  let harness: Harness;
  let close: () => Promise<void>;
  beforeAll(async () => {
    harness = await Harness.open({ batchConversationsMax: 1, batchesInFlightMax: 1 });
    const { queue, worker: config, log } = harness.config;
    let applies = 0;
    const stores = watched(harness.context.stores, (_number, name, call) => {
      if (name === 'batches.apply' && (applies += 1) % 3 === 0) throw new Error('the database is away');
      return call();
    });
    const redis = connectWorker(queue.redisUrl, () => undefined);
    const operations = new OperationQueue(redis, queue.prefix, () => undefined);
    const claims = new ClaimQueue(redis, queue.prefix, () => undefined);
    const context = { ...harness.context, stores };
    const afterEnd = new AfterEnd(context, operations, claims);
    const handler = new OperationHandler(context, operations, afterEnd, new Pace(), config);
    const worker = new Worker(OPERATIONS_QUEUE, processorOf(handler, createLogger(log)), {
      connection: redis,
      prefix: queue.prefix,
    });
    close = async () => {
      await worker.close();
      await Promise.all([operations.close(), claims.close()]);
      redis.disconnect();
    };
  });
  afterAll(async () => {
    await close();
    await harness.close();
  });

  it('is done all the same, as long as it gets on in between', async () => {
    const campaignId = await harness.seedCampaign(2);
    await harness.seedConversations(
      campaignId,
      Array.from({ length: BATCHES }, () => ({})),
    );
    const operationId = harness.newId('op');
    const all = { operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' } as const;
    const { receipt } = await (await harness.producer.reassign(all)).result();
    expect(receipt.moved).toBe(BATCHES);
  });
});
