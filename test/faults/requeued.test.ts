import { Worker } from 'bullmq';
import { afterEach, describe, expect, it } from 'vitest';
import { Overtaken } from '../../src/operations/ports.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { ClaimQueue, EndedClaims } from '../../src/claims/claim-queue.ts';
import { connectWorker } from '../../src/queue/connection.ts';
import { OPERATION_JOB_OPTIONS } from '../../src/operations/jobs.ts';
import { OPERATIONS_QUEUE } from '../../src/queue/job.ts';
import { OperationQueue } from '../../src/operations/operation-queue.ts';
import { QueuedLoads } from '../../src/operations/limits.ts';
import { AfterEnd } from '../../workers/after-end.ts';
import { processorOf } from '../../workers/executor.ts';
import { LockWatch } from '../../workers/lock-watch.ts';
import { OperationHandler } from '../../workers/operation-handler.ts';
import { Pace } from '../../workers/pace.ts';
import { Harness, many } from '../support/harness.ts';
import { NO_LIVE } from '../support/no-live.ts';
import { intercepted } from '../support/intercepted-stores.ts';
import { RawQueue } from '../support/raw-queue.ts';

const BATCHES = 3 * OPERATION_JOB_OPTIONS.attempts;

describe('an operation whose slice fails after progress', () => {
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    while (closers.length > 0) await closers.pop()?.();
  });

  /** Starts a worker. `fail` receives the number of each call of the port, and may return the error of that call. */
  async function startFailing(port: string, fail: (call: number) => Error | undefined): Promise<Harness> {
    const harness = await Harness.open({ batchConversationsMax: 1, batchesInFlightMax: 1 });
    const { queue, worker: config, log } = harness.config;
    let calls = 0;
    const stores = intercepted(harness.context.stores, (_number, name, call) => {
      const error = name === port ? fail((calls += 1)) : undefined;
      if (error) throw error;
      return call();
    });
    const redis = connectWorker(queue.redisUrl, () => undefined);
    const operations = new OperationQueue(redis, queue.prefix, () => undefined);
    const claims = new ClaimQueue(redis, queue.prefix, () => undefined);
    const context = { ...harness.context, stores, live: NO_LIVE };
    const afterEnd = new AfterEnd(context, operations, claims, new EndedClaims(stores.claims, claims));
    const handler = new OperationHandler(
      context,
      operations,
      afterEnd,
      { pace: new Pace(), loads: new QueuedLoads() },
      config,
    );
    const worker = new Worker(OPERATIONS_QUEUE, processorOf(handler, createLogger(log), new LockWatch(config.lockMs)), {
      connection: redis,
      prefix: queue.prefix,
    });
    closers.push(async () => {
      await worker.close();
      await Promise.all([operations.close(), claims.close()]);
      redis.disconnect();
      await harness.close();
    });
    return harness;
  }

  async function dealAll(harness: Harness, conversations: number): Promise<{ operationId: string; moved: number }> {
    const campaignId = await harness.seedCampaign(2);
    await harness.seedConversations(campaignId, many(conversations));
    const operationId = harness.newId('op');
    const all = { operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' } as const;
    const { receipt } = await (await harness.producer.reassign(all)).result();
    return { operationId, moved: receipt.moved };
  }

  it('ends as done, however often a slice fails, if each slice makes progress', async () => {
    const harness = await startFailing('batches.apply', (call) =>
      call % 3 === 0 ? new Error('the database is away') : undefined,
    );
    expect(await dealAll(harness, BATCHES)).toMatchObject({ moved: BATCHES });
  });

  it('uses no attempt when another worker has advanced the operation', async () => {
    const harness = await startFailing('operations.endAtOnce', (call) =>
      call === 1 ? new Overtaken('the operation has been stopped') : undefined,
    );
    const { operationId, moved } = await dealAll(harness, 1);
    expect(moved).toBe(1);
    const queue = new RawQueue(harness);
    closers.push(() => queue.close());
    expect(await queue.job(operationId)).toMatchObject({ attemptsMade: 1 });
  });
});
