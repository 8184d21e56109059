import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Producer } from '../../src/producer/producer-port.ts';
import { createProducer } from '../../src/producer/producer.ts';
import { Harness } from '../support/harness.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const RECOVERED_WITHIN_MS = 15_000;
const WAIT = { waitMs: 60_000 };

/**
 * A proxy stops to forward and keeps every connection open, as when the other end has vanished. Later connections work.
 */
describe('a connection to Redis that has fallen silent', () => {
  let harness: Harness;
  let campaignId: string;
  let proxy: TcpProxy;
  let closing: (() => Promise<unknown>)[];

  beforeAll(async () => {
    harness = await Harness.open();
    campaignId = await harness.seedCampaign(2, { selfAssign: { enabled: true } });
  });
  afterAll(() => harness.close());

  beforeEach(async () => {
    proxy = await TcpProxy.before(harness.config.queue.redisUrl);
    closing = [];
  });
  afterEach(async () => {
    for (const close of closing) await close();
    await proxy.close();
  });

  async function startWorker(redisUrl: string): Promise<WorkerProcess> {
    const worker = await WorkerProcess.start(harness, { REDIS_URL: redisUrl });
    closing.push(() => worker.kill());
    return worker;
  }

  function openProducer(redisUrl: string): Producer {
    const producer = createProducer({ ...harness.config.queue, redisUrl });
    closing.push(() => producer.close());
    return producer;
  }

  const newRequest = () =>
    ({
      operationId: harness.newId('op'),
      campaignId,
      from: 'pool',
      to: { texterIds: ['t1'] },
      status: 'any',
      count: 1,
    }) as const;

  async function withinLimit<Result>(act: () => Promise<Result>): Promise<Result> {
    const began = performance.now();
    const result = await act();
    expect(performance.now() - began).toBeLessThan(RECOVERED_WITHIN_MS);
    return result;
  }

  it('is replaced by an idle worker, which logs the reason and runs an operation and a claim', async () => {
    const worker = await startWorker(proxy.url);
    const producer = openProducer(harness.config.queue.redisUrl);
    await harness.seedConversations(campaignId, [{}, {}]);
    await (await producer.reassign(newRequest())).result();
    proxy.silence();
    proxy.back();
    await withinLimit(async () => {
      const claim = { operationId: harness.newId('cl'), campaignId, texterId: 't2', count: 1 };
      const [operation, claimed] = await Promise.all([producer.reassign(newRequest()), producer.selfAssign(claim)]);
      await Promise.all([operation.result(WAIT), claimed.result(WAIT)]);
    });
    expect(worker.logText).toContain('Redis was silent although an answer was due');
  });

  it('is replaced by a worker although new connections were silent for a while too', async () => {
    const worker = await startWorker(proxy.url);
    const producer = openProducer(harness.config.queue.redisUrl);
    await harness.seedConversations(campaignId, [{}]);
    proxy.silence();
    await until('the worker to notice the silence', () => worker.logText.includes('Redis was silent'));
    const sent = await producer.reassign(newRequest());
    // By then the new connections are silent as well.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    proxy.back();
    await withinLimit(() => sent.result(WAIT));
  });

  it('is replaced by a producer within its call, and by the wait for a result', async () => {
    await startWorker(harness.config.queue.redisUrl);
    const producer = openProducer(proxy.url);
    await harness.seedConversations(campaignId, [{}, {}]);
    await (await producer.reassign(newRequest())).result();
    proxy.silence();
    proxy.back();
    await withinLimit(async () => (await producer.reassign(newRequest())).result(WAIT));
  });
});
