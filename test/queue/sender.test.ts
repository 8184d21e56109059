import { Queue, Worker } from 'bullmq';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ProducerClosed, QueueUnavailable } from '../../src/domain/errors.ts';
import { connectSender, connectWorker, type RedisConnection } from '../../src/queue/connection.ts';
import { Sender } from '../../src/queue/sender.ts';
import { testConfig } from '../support/harness.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

const QUEUE = 'timed';
const NOON = Date.UTC(2026, 0, 1, 12);

const { redisUrl, prefix } = testConfig().queue;
let connection: RedisConnection;
let sender: Sender;

beforeEach(() => {
  connection = connectWorker(redisUrl, () => undefined);
  sender = new Sender(QUEUE, { connection, connectForWaiting: () => connection, prefix, onError: () => undefined });
});
afterEach(async () => {
  vi.useRealTimers();
  await sender.close();
  const queue = new Queue(QUEUE, { connection, prefix });
  await queue.obliterate({ force: true });
  await queue.close();
  connection.disconnect();
});

async function sentAt(...jobIds: readonly string[]): Promise<number[]> {
  const times = await Promise.all(jobIds.map((id) => connection.hget(`${prefix}:${QUEUE}:${id}`, 'timestamp')));
  return times.map(Number);
}

/** Stops the clock that the sender reads. Timers run on. */
function stopClockAt(time: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: time });
}

it('the jobs of a sender have later times in the order of sending, also while its clock stands still', async () => {
  stopClockAt(NOON);
  for (const jobId of ['op-a', 'op-b', 'op-c']) await sender.send('job', {}, { jobId });
  expect(await sentAt('op-a', 'op-b', 'op-c')).toEqual([NOON, NOON + 1, NOON + 2]);
});

it('the jobs of a sender have later times in the order of sending, also after its clock was set back', async () => {
  stopClockAt(NOON);
  await sender.send('job', {}, { jobId: 'op-before' });
  stopClockAt(NOON - 3_600_000);
  await Promise.all(['op-after', 'op-last'].map((jobId) => sender.send('job', {}, { jobId })));
  stopClockAt(NOON + 60_000);
  await sender.send('job', {}, { jobId: 'op-later' });
  expect(await sentAt('op-before', 'op-after', 'op-last', 'op-later')).toEqual([
    NOON,
    NOON + 1,
    NOON + 2,
    NOON + 60_000,
  ]);
});

it('an ended job runs again when the call that wrote its data lost its connection before', async () => {
  const isSame = (): boolean => true;
  await sender.send('job', { call: 1 }, { jobId: 'op-ended' }, isSame);
  const worker = new Worker(QUEUE, () => Promise.resolve('done'), { connection, prefix });
  const queue = new Queue(QUEUE, { connection, prefix });
  await until('the job to end', async () => (await queue.getJob('op-ended'))?.finishedOn);
  await worker.close();
  await (await queue.getJob('op-ended'))?.updateData({ call: 2 });
  await sender.send('job', { call: 2 }, { jobId: 'op-ended' }, isSame);
  expect(await (await queue.getJob('op-ended'))?.isWaiting()).toBe(true);
  await queue.close();
});

/** Less than five groups of jobs that fail one after the other would need. */
const TOGETHER_WITHIN_MS = 15_000;

it(
  'a thousand jobs at once take turns, and all of them fail together when Redis confirms none',
  async () => {
    const proxy = await TcpProxy.before(redisUrl);
    const far = connectSender(proxy.url, () => undefined);
    const parts = { connection: far, connectForWaiting: () => far, prefix, onError: () => undefined };
    const sending = new Sender(QUEUE, parts);
    try {
      await sending.send('job', {}, { jobId: 'op-first' });
      const commands = vi.spyOn(far, 'sendCommand');
      const ids = Array.from({ length: 1_000 }, (_, at) => `op-many-${at}`);
      proxy.silence();
      const sent = await Promise.allSettled(ids.map((jobId) => sending.send('job', {}, { jobId })));
      expect(sent.filter(({ status }) => status === 'fulfilled')).toEqual([]);
      expect(new Set(sent.map((each) => (each as PromiseRejectedResult).reason instanceof QueueUnavailable))).toEqual(
        new Set([true]),
      );
      expect(commands.mock.calls.filter(([{ name }]) => name === 'evalsha' || name === 'eval').length).toBeLessThan(
        600,
      );
      proxy.back();
      await Promise.all(ids.map((jobId) => sending.send('job', {}, { jobId })));
      expect(await connection.exists(ids.map((id) => `${prefix}:${QUEUE}:${id}`))).toBe(ids.length);
    } finally {
      await sending.close();
      far.disconnect();
      await proxy.close();
    }
  },
  TOGETHER_WITHIN_MS,
);

it('a job that waits for its turn when the sender closes is not sent', async () => {
  await sender.send('job', {}, { jobId: 'op-first' });
  const written = vi.spyOn(connection, 'sendCommand');
  const ids = Array.from({ length: 1_000 }, (_, at) => `op-late-${at}`);
  const sent = Promise.allSettled(ids.map((jobId) => sender.send('job', {}, { jobId })));
  await until('a job to be written', () => written.mock.calls.length > 0);
  await sender.close();
  for (const each of await sent) expect(each).toMatchObject({ reason: expect.any(ProducerClosed) as unknown });
  await connection.ping();
  expect(await connection.exists(ids.slice(-500).map((id) => `${prefix}:${QUEUE}:${id}`))).toBe(0);
});
