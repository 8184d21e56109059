import { afterEach, beforeEach, expect, it } from 'vitest';
import { createLogger } from '../../src/telemetry/logger.ts';
import { startService, type Service } from '../../workers/service.ts';
import { sendRequest } from '../../src/producer/send-many.ts';
import { Harness } from '../support/harness.ts';
import { blockMoves } from '../support/blocked-conversation.ts';
import { describeWith, PLAIN_REDIS } from '../support/needs.ts';
import { RawQueue } from '../support/raw-queue.ts';
import { idsOf, rawBatches, rawConversations, rawOperation } from '../support/raw.ts';
import type { AnyRequest } from '../support/any-request.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

const CONVERSATIONS = 200;

/** The worker reaches Redis through a proxy, which the test can close. */
describeWith(PLAIN_REDIS)('a worker that loses Redis during an operation', () => {
  let harness: Harness;
  let queue: RawQueue;
  let proxy: TcpProxy;
  let service: Service;
  let campaignId: string;
  let ids: string[];

  beforeEach(async () => {
    harness = await Harness.open({ batchConversationsMax: 5, sliceMs: 100, lockMs: 1_000, stalledCheckMs: 500 });
    queue = new RawQueue(harness);
    proxy = await TcpProxy.before(harness.config.queue.redisUrl);
    const config = { ...harness.config, queue: { ...harness.config.queue, redisUrl: proxy.url } };
    service = await startService(
      { ...config, worker: { ...config.worker, closeTimeoutMs: 500 } },
      createLogger(config.log),
    );
    await service.ready;
    campaignId = await harness.seedCampaign(3);
    const waiting = Array.from({ length: CONVERSATIONS }, (_, at) => ({ waitedMs: (CONVERSATIONS - at) * 1_000 }));
    ids = await harness.seedConversations(campaignId, waiting);
  });
  afterEach(async () => {
    await service.close();
    await proxy.close();
    await queue.close();
    await harness.close();
  });

  const newRequest = (): AnyRequest => ({
    kind: 'reassign',
    operationId: harness.newId('op'),
    campaignId,
    from: 'pool',
    to: 'everyone',
    status: 'any',
    count: 151,
  });

  async function applied(operationId: string, batches: number): Promise<void> {
    await until(`${batches} batches of ${operationId} to be applied`, async () => {
      const { database } = harness.context;
      return (await database.batches.countDocuments({ operationId, state: 'applied' })) >= batches;
    });
  }

  async function expectMovedOnce(operationId: string): Promise<void> {
    const docs = await rawConversations(harness, campaignId);
    const histories = ids.map((id) => docs.get(id)?.history.map((move) => move.operationId));
    expect(histories).toEqual(ids.map((_, place) => (place < 151 ? [operationId] : [])));
    expect(await harness.loads(campaignId)).toEqual({ t1: 51, t2: 50, t3: 50, pool: 49 });
    const batches = await rawBatches(harness, operationId);
    expect(idsOf(batches.flatMap(({ moves }) => moves)).sort()).toEqual(ids.slice(0, 151).sort());
    expect(await rawOperation(harness, operationId)).toMatchObject({
      state: 'done',
      receipt: { moved: 151, selected: 151 },
    });
  }

  it('continues when Redis is back and moves every conversation once', async () => {
    const request = newRequest();
    const block = await blockMoves(harness, ids[52] ?? '');
    const sent = await sendRequest(harness.producer, request);
    await applied(request.operationId, 10);
    proxy.away();
    await block.remove();
    proxy.back();
    expect(await sent.result()).toMatchObject({ receipt: { moved: 151 } });
    await expectMovedOnce(request.operationId);
  });

  it('moves every conversation once while a second worker runs the same job', async () => {
    const request = newRequest();
    const block = await blockMoves(harness, ids[52] ?? '');
    const sent = await sendRequest(harness.producer, request);
    await applied(request.operationId, 10);
    const { attemptsStarted = 0 } = (await queue.job(request.operationId)) ?? {};
    proxy.away();
    await harness.startWorker();
    await until('the second worker to run the job', async () => {
      const job = await queue.job(request.operationId);
      return (job?.attemptsStarted ?? 0) > attemptsStarted;
    });
    await block.remove();
    expect(await sent.result()).toMatchObject({ receipt: { moved: 151 } });
    proxy.back();
    await expectMovedOnce(request.operationId);
  });

  it('can be stopped, and another worker finishes the operation', async () => {
    const request = newRequest();
    const block = await blockMoves(harness, ids[52] ?? '');
    const sent = await sendRequest(harness.producer, request);
    await applied(request.operationId, 10);
    proxy.away();
    expect(await service.close()).toBe('timed-out');
    await block.remove();
    await harness.startWorker();
    expect(await sent.result()).toMatchObject({ receipt: { moved: 151 } });
    await expectMovedOnce(request.operationId);
  });
});
