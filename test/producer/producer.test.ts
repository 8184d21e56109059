import { UnrecoverableError, Worker, type Job } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  Halted,
  isPermanent,
  JobFailed,
  QueueUnavailable,
  Refusal,
  UnknownFailure,
  WaitTimeout,
} from '../../src/domain/errors.ts';
import { ATTEMPTS_EXHAUSTED, toFailureText, toStoredError } from '../../src/domain/stored-error.ts';
import { type OperationJob } from '../../src/operations/jobs.ts';
import { CONTROLS_QUEUE, jobIdOf, OPERATIONS_QUEUE } from '../../src/queue/job.ts';
import type { Producer } from '../../src/producer/producer-port.ts';
import { createProducer } from '../../src/producer/producer.ts';
import { testConfig } from '../support/harness.ts';
import { itWith, PLAIN_REDIS } from '../support/needs.ts';
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
const resultOf = ({ data }: Job<OperationJob>): object => ({
  operationId: data.request.operationId,
  state: 'done',
  createdBySendId: data.sendId,
  receipt: RECEIPT,
});

/** The Redis is real. The worker is a stand-in, so that a test can choose how each job ends. */
describe('the producer', () => {
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

  async function work(run: (job: Job<OperationJob>) => unknown, queue = OPERATIONS_QUEUE): Promise<Worker> {
    const worker = new Worker<OperationJob>(queue, (job) => Promise.resolve().then(() => run(job)), {
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

  it('returns created to the sender that created the operation and exists to the others', async () => {
    const [one, other] = [open(), open()];
    const asked = request();
    const sent = await Promise.all([one, other, one].map((producer) => producer.reassign(asked)));
    await work(resultOf);
    const results = await Promise.all(sent.map((each) => each.result()));
    expect(results.map(({ outcome }) => outcome).sort()).toEqual(['created', 'exists', 'exists']);
    expect(results.map(({ receipt }) => receipt)).toEqual([RECEIPT, RECEIPT, RECEIPT]);
  });

  it('refuses an id that belongs to a different request, before and after the operation has ended', async () => {
    const producer = open();
    const asked = request();
    const sent = await producer.reassign(asked);
    await expect(producer.reassign({ ...asked, count: 5 })).rejects.toMatchObject({ code: 'operation-conflict' });
    await work(resultOf);
    await sent.result();
    await expect(producer.reassign({ ...asked, status: 'closed' })).rejects.toMatchObject({
      code: 'operation-conflict',
    });
    await expect(producer.reassign({ ...asked, spread: 'even' })).resolves.toMatchObject({
      operationId: asked.operationId,
    });
  });

  it('returns the same result to repeated waits and to another producer', async () => {
    const producer = open();
    const asked = request();
    const sent = await producer.reassign(asked);
    let stored: object | undefined;
    await work((job) => (stored ??= resultOf(job)));
    const first = await sent.result();
    const later = await Promise.all([sent.result(), sent.result(), sent.result()]);
    expect(later).toEqual([first, first, first]);
    const elsewhere = await open().reassign(asked);
    expect(await elsewhere.result()).toEqual({ ...first, outcome: 'exists' });
  });

  it('returns to each of many concurrent waits the result of its own operation', async () => {
    const producer = open();
    const sent = await Promise.all(Array.from({ length: 40 }, () => producer.reassign(request())));
    const waiting = sent.flatMap((each) => [each.result(), each.result()]);
    await work(resultOf);
    const ids = (await Promise.all(waiting)).map(({ operationId }) => operationId);
    expect(ids).toEqual(sent.flatMap(({ operationId }) => [operationId, operationId]));
  });

  it('returns the result of a job that succeeded in its second attempt, also to a late wait', async () => {
    const producer = open();
    const sent = await producer.reassign(request());
    await work((job) => {
      if (job.attemptsMade === 0) throw new Error('a transient error');
      return resultOf(job);
    });
    const early = await sent.result();
    expect(early).toMatchObject({ state: 'done', receipt: RECEIPT });
    expect(await sent.result()).toEqual(early);
  });

  it('throws the refusal, the halt or the JobFailed that the job ended with', async () => {
    const producer = open();
    const details = { message: 'texter t4 is paused', expected: 'an active texter', received: 't4, paused' };
    const ends = [new Refusal('target-inactive', details), new Halted('targets-lost', details), new Error('disk full')];
    const sent = await Promise.all(ends.map(() => producer.reassign(request())));
    await work((job) => {
      const end = ends[sent.findIndex(({ operationId }) => jobIdOf(operationId) === job.id)];
      throw new UnrecoverableError(isPermanent(end) ? toFailureText(toStoredError(end)) : end?.message);
    });
    const [refusal, halt, failure] = await Promise.all(
      sent.map((each) => each.result().catch((error: unknown) => error)),
    );
    expect(refusal).toBeInstanceOf(Refusal);
    expect(refusal).toMatchObject({ code: 'target-inactive', ...details });
    expect(halt).toBeInstanceOf(Halted);
    expect(halt).toMatchObject({ code: 'targets-lost', ...details });
    expect(failure).toBeInstanceOf(JobFailed);
    expect(failure).toMatchObject({ code: 'operation-failed', message: 'disk full' });
  });

  it.each([
    ['JobFailed', JobFailed, ATTEMPTS_EXHAUSTED, 'operation-failed'],
    ['UnknownFailure', UnknownFailure, 'a-newer-code', 'a-newer-code'],
  ] as const)(
    'throws %s when the operation is stored as failed, and asks a worker again when it is sent again',
    async (...row) => {
      const [, type, stored, code] = row;
      const producer = open();
      const asked = request();
      const sent = await producer.reassign(asked);
      let runs = 0;
      await work(() => {
        runs += 1;
        const message = 'MongoNetworkError: connection closed';
        throw new UnrecoverableError(toFailureText({ code: stored, message, expected: null, received: null }));
      });
      const first = await sent.result().catch((error: unknown) => error);
      const second = await (await producer.reassign(asked)).result().catch((error: unknown) => error);
      for (const error of [first, second]) {
        expect(error).toBeInstanceOf(type);
        expect(error).toMatchObject({ code, message: 'MongoNetworkError: connection closed' });
      }
      expect(runs).toBe(2);
    },
  );

  it('throws WaitTimeout when the time is over, and the operation continues', async () => {
    const producer = open();
    const sent = await producer.reassign(request());
    await expect(sent.result({ waitMs: 50 })).rejects.toThrow(WaitTimeout);
    await work(resultOf);
    expect(await sent.result()).toMatchObject({ state: 'done' });
  });

  it('passes progress on to the callback', async () => {
    const producer = open();
    const sent = await producer.reassign(request());
    const seen: unknown[] = [];
    const ended = sent.result({ onProgress: (progress) => seen.push(progress) });
    await work(async (job) => {
      await until('progress to be seen', async () => {
        await job.updateProgress({ moved: 7 });
        return seen.length > 0;
      });
      return resultOf(job);
    });
    await ended;
    expect(seen[0]).toEqual({ moved: 7 });
  });

  it('throws QueueUnavailable when Redis could never be reached', async () => {
    const producer = open('redis://127.0.0.1:1');
    const sending = [producer.reassign(request()), producer.preview({ ...request(), kind: 'reassign' })];
    for (const sent of await Promise.allSettled(sending)) {
      expect(sent).toMatchObject({ status: 'rejected', reason: expect.any(QueueUnavailable) as Error });
    }
  });

  itWith(PLAIN_REDIS)('throws QueueUnavailable while Redis is away and sends again when it is back', async () => {
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
    await work(resultOf);
    expect(await (await producer.reassign(asked)).result()).toMatchObject({ state: 'done' });
  });

  it('refuses bad input also while Redis is away', async () => {
    const producer = open('redis://127.0.0.1:1');
    await expect(producer.reassign(request({ count: 0 }))).rejects.toMatchObject({ code: 'bad-request' });
  });

  itWith(PLAIN_REDIS)('throws in time when Redis went away before the wait began', async () => {
    const { producer, proxy } = await openThroughProxy();
    const sent = await producer.reassign(request());
    proxy.away();
    await expect(sent.result({ waitMs: 200 })).rejects.toMatchObject({
      code: expect.stringMatching(/^(wait-timeout|queue-unavailable)$/) as string,
    });
  });

  itWith(PLAIN_REDIS)('returns the result of an operation that ended while Redis was away', async () => {
    const { producer, proxy } = await openThroughProxy();
    const sent = await producer.reassign(request());
    const waiting = sent.result();
    proxy.away();
    const worker = await work(resultOf);
    const { operationId } = sent;
    await until(
      'the job to end',
      async () => (await redis.hexists(worker.toKey(jobIdOf(operationId)), 'finishedOn')) === 1,
    );
    proxy.back();
    expect(await waiting).toMatchObject({ state: 'done' });
  });

  it('does not return the result of another job after Redis has lost its data', async () => {
    const cancelled = (operationId: string): Promise<unknown> =>
      open()
        .cancel({ operationId, campaignId: 'c1' })
        .catch((error: unknown) => error);
    const keys = (): Promise<string[]> => redis.keys(`${config.prefix}:${CONTROLS_QUEUE}:*`);
    const lost = cancelled('lost');
    await until('it to be sent', async () => (await redis.llen(`${config.prefix}:${CONTROLS_QUEUE}:wait`)) === 1);
    await redis.del(...(await keys()));
    const asked = cancelled('asked');
    await work(resultOf, CONTROLS_QUEUE);
    expect(await asked).toMatchObject({ operationId: 'asked' });
    expect(await lost).toBeInstanceOf(QueueUnavailable);
  });

  itWith(PLAIN_REDIS)('closes while Redis is away', async () => {
    const { producer, proxy } = await openThroughProxy();
    const sent = await producer.reassign(request());
    const waiting = sent.result({ waitMs: 300 }).catch((error: unknown) => error);
    await waiting;
    proxy.away();
    await producer.close();
  });
});
