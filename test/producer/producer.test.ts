import { UnrecoverableError, Worker, type Job } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { QueueUnavailable, Refusal, WaitTimeout } from '../../src/domain/errors.ts';
import { JobFailed } from '../../src/queue/answers.ts';
import { type OperationJob } from '../../src/operations/jobs.ts';
import { jobIdOf } from '../../src/queue/job-id.ts';
import { CONTROLS_QUEUE, OPERATIONS_QUEUE } from '../../src/queue/names.ts';
import type { Producer } from '../../src/producer/producer-port.ts';
import { createProducer } from '../../src/producer/producer.ts';
import { testConfig } from '../support/harness.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

const RECEIPT = {
  selected: 1,
  moved: 1,
  asked: null,
  shortBecause: null,
  left: null,
  skipped: [],
  bySource: [],
  byTarget: [],
  byStatus: [],
};
const answerTo = ({ data }: Job<OperationJob>): object => ({
  operationId: data.request.operationId,
  state: 'done',
  createdBySendId: data.sendId,
  receipt: RECEIPT,
});

/** The producer against a real Redis; the worker is a stand-in, so that each answer can be had at will. */
describe('a producer', () => {
  const { queue: config } = testConfig();
  const producers: Producer[] = [];
  const proxies: TcpProxy[] = [];
  const workers: Worker[] = [];
  let redis: Redis;
  let count = 0;

  beforeAll(() => {
    redis = new Redis(config.redisUrl, { maxRetriesPerRequest: null });
  });
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.close()));
    await Promise.all(producers.splice(0).map((producer) => producer.close()));
    await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
  });
  afterAll(async () => {
    const keys = await redis.keys(`${config.prefix}*`);
    if (keys.length > 0) await redis.del(...keys);
    await redis.quit();
  });

  function open(redisUrl = config.redisUrl): Producer {
    const producer = createProducer({ redisUrl, prefix: config.prefix });
    producers.push(producer);
    return producer;
  }

  async function openThroughProxy(): Promise<{ producer: Producer; proxy: TcpProxy }> {
    const proxy = await TcpProxy.before(config.redisUrl);
    proxies.push(proxy);
    return { producer: open(proxy.url), proxy };
  }

  async function work(answer: (job: Job<OperationJob>) => unknown, queue = OPERATIONS_QUEUE): Promise<Worker> {
    const worker = new Worker<OperationJob>(queue, (job) => Promise.resolve().then(() => answer(job)), {
      connection: { url: config.redisUrl, maxRetriesPerRequest: null },
      prefix: config.prefix,
    });
    worker.on('error', () => undefined);
    workers.push(worker);
    await worker.waitUntilReady();
    return worker;
  }

  function request(more: object = {}): Parameters<Producer['reassign']>[0] {
    count += 1;
    return { operationId: `op-${count}`, campaignId: 'c1', from: 'pool', to: 'everyone', status: 'any', ...more };
  }

  it('says created to the sending that made the operation, and exists to the others', async () => {
    const [one, other] = [open(), open()];
    const asked = request();
    const sent = await Promise.all([one, other, one].map((producer) => producer.reassign(asked)));
    await work(answerTo);
    const results = await Promise.all(sent.map((each) => each.result()));
    expect(results.map(({ outcome }) => outcome).sort()).toEqual(['created', 'exists', 'exists']);
    expect(results.map(({ receipt }) => receipt)).toEqual([RECEIPT, RECEIPT, RECEIPT]);
  });

  it('refuses an id that stands for another request, before and after it has ended', async () => {
    const producer = open();
    const asked = request();
    const sent = await producer.reassign(asked);
    await expect(producer.reassign({ ...asked, count: 5 })).rejects.toMatchObject({ code: 'operation-conflict' });
    await work(answerTo);
    await sent.result();
    await expect(producer.reassign({ ...asked, status: 'closed' })).rejects.toMatchObject({
      code: 'operation-conflict',
    });
    await expect(producer.reassign({ ...asked, spread: 'even' })).resolves.toMatchObject({
      operationId: asked.operationId,
    });
  });

  it('answers again and again, whoever asks, and however long ago it ended', async () => {
    const producer = open();
    const asked = request();
    const sent = await producer.reassign(asked);
    await work(answerTo);
    const first = await sent.result();
    const later = await Promise.all([sent.result(), sent.result(), sent.result()]);
    expect(later).toEqual([first, first, first]);
    const elsewhere = await open().reassign(asked);
    expect(await elsewhere.result()).toEqual({ ...first, outcome: 'exists' });
  });

  it('answers everyone who waits at once, each with their own operation', async () => {
    const producer = open();
    const sent = await Promise.all(Array.from({ length: 40 }, () => producer.reassign(request())));
    const waiting = sent.flatMap((each) => [each.result(), each.result()]);
    await work(answerTo);
    const ids = (await Promise.all(waiting)).map(({ operationId }) => operationId);
    expect(ids).toEqual(sent.flatMap(({ operationId }) => [operationId, operationId]));
  });

  it('has the answer of a job that failed at first and was tried again, however late it looks', async () => {
    const producer = open();
    const sent = await producer.reassign(request());
    await work((job) => {
      if (job.attemptsMade === 0) throw new Error('a passing trouble');
      return answerTo(job);
    });
    const early = await sent.result();
    expect(early).toMatchObject({ state: 'done', receipt: RECEIPT });
    expect(await sent.result()).toEqual(early);
  });

  it('throws the refusal that the worker gave, and JobFailed for whatever else it failed with', async () => {
    const producer = open();
    const [refused, broken] = [await producer.reassign(request()), await producer.reassign(request())];
    await work((job) => {
      const refusal = 'target-inactive: expected active texters, got paused "t4"';
      throw new UnrecoverableError(job.id === jobIdOf(refused.operationId) ? refusal : 'boo');
    });
    const refusal: unknown = await refused.result().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(Refusal);
    expect(refusal).toMatchObject({ code: 'target-inactive', expected: 'active texters', received: 'paused "t4"' });
    await expect(broken.result()).rejects.toThrow(JobFailed);
  });

  it('stops waiting when its time is up, and the operation goes on', async () => {
    const producer = open();
    const sent = await producer.reassign(request());
    await expect(sent.result({ waitMs: 50 })).rejects.toThrow(WaitTimeout);
    await work(answerTo);
    expect(await sent.result()).toMatchObject({ state: 'done' });
  });

  it('tells of progress', async () => {
    const producer = open();
    const sent = await producer.reassign(request());
    const seen: unknown[] = [];
    const answered = sent.result({ onProgress: (progress) => seen.push(progress) });
    await work(async (job) => {
      await until('progress to be seen', async () => {
        await job.updateProgress({ moved: 7 });
        return seen.length > 0;
      });
      return answerTo(job);
    });
    await answered;
    expect(seen[0]).toEqual({ moved: 7 });
  });

  it('says that the queue is away, rather than wait for it, when it never was there', async () => {
    const producer = open('redis://127.0.0.1:1');
    const sending = [producer.reassign(request()), producer.preview({ ...request(), kind: 'reassign' })];
    for (const sent of await Promise.allSettled(sending)) {
      expect(sent).toMatchObject({ status: 'rejected', reason: expect.any(QueueUnavailable) as Error });
    }
  });

  it('says that the queue is away when it has gone, and sends again when it is back', async () => {
    const { producer, proxy } = await openThroughProxy();
    await producer.reassign(request());
    proxy.away();
    await expect(producer.reassign(request())).rejects.toThrow(QueueUnavailable);
    proxy.back();
    const asked = request();
    await until('the producer to send again', () =>
      producer.reassign(asked).then(
        () => true,
        () => false,
      ),
    );
    await work(answerTo);
    expect(await (await producer.reassign(asked)).result()).toMatchObject({ state: 'done' });
  });

  it('refuses bad input even when the queue is away', async () => {
    const producer = open('redis://127.0.0.1:1');
    await expect(producer.reassign(request({ count: 0 }))).rejects.toMatchObject({ code: 'bad-request' });
  });

  it('stops waiting when its time is up, also when the queue went away before it began to wait', async () => {
    const { producer, proxy } = await openThroughProxy();
    const sent = await producer.reassign(request());
    proxy.away();
    await expect(sent.result({ waitMs: 200 })).rejects.toMatchObject({
      code: expect.stringMatching(/^(wait-timeout|queue-unavailable)$/) as string,
    });
  });

  it('has the answer of an operation that ended while the queue was away', async () => {
    const { producer, proxy } = await openThroughProxy();
    const sent = await producer.reassign(request());
    const waiting = sent.result();
    proxy.away();
    const worker = await work(answerTo);
    const { operationId } = sent;
    await until(
      'the job to end',
      async () => (await redis.hexists(worker.toKey(jobIdOf(operationId)), 'finishedOn')) === 1,
    );
    proxy.back();
    expect(await waiting).toMatchObject({ state: 'done' });
  });

  it('is never told the answer to what somebody else asked after the queue had lost everything', async () => {
    const cancelled = (operationId: string): Promise<unknown> =>
      open()
        .cancel({ operationId, campaignId: 'c1' })
        .catch((error: unknown) => error);
    const keys = (): Promise<string[]> => redis.keys(`${config.prefix}:${CONTROLS_QUEUE}:*`);
    const lost = cancelled('lost');
    await until('it to be sent', async () => (await redis.llen(`${config.prefix}:${CONTROLS_QUEUE}:wait`)) === 1);
    await redis.del(...(await keys()));
    const asked = cancelled('asked');
    await work(answerTo, CONTROLS_QUEUE);
    expect(await asked).toMatchObject({ operationId: 'asked' });
    expect(await lost).toBeInstanceOf(QueueUnavailable);
  });

  it('closes while the queue is away', async () => {
    const { producer, proxy } = await openThroughProxy();
    const sent = await producer.reassign(request());
    const waiting = sent.result({ waitMs: 300 }).catch((error: unknown) => error);
    await waiting;
    proxy.away();
    await producer.close();
  });
});
