import { setImmediate } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq';
import type { Command } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi, type MockInstance } from 'vitest';
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

/** Shorter than the time in which five groups of jobs would fail one after the other. */
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

it(
  'a thousand jobs at once fail together when Redis refuses the password',
  async () => {
    const url = new URL(redisUrl);
    [url.username, url.password] = ['nobody', 'wrong'];
    const refused = connectSender(url.toString(), () => undefined);
    const parts = { connection: refused, connectForWaiting: () => refused, prefix, onError: () => undefined };
    const sending = new Sender(QUEUE, parts);
    const ids = Array.from({ length: 1_000 }, (_, at) => `op-refused-${at}`);
    const sent = await Promise.allSettled(ids.map((jobId) => sending.send('job', {}, { jobId })));
    expect(new Set(sent.map((each) => String((each as PromiseRejectedResult).reason)))).toEqual(
      new Set([expect.stringContaining('WRONGPASS') as string]),
    );
    await sending.close();
    refused.disconnect();
  },
  TOGETHER_WITHIN_MS,
);

describe('a job that fails', () => {
  const HELD = Array.from({ length: 300 }, (_, at) => `op-held-${at}`);
  let refuse: () => void;
  let release: () => void;
  let written: MockInstance<RedisConnection['sendCommand']>;
  beforeEach(async () => {
    await until('the connection', () => connection.status === 'ready');
    const refusal = new Promise<void>((resolve) => (refuse = resolve));
    const released = new Promise<void>((resolve) => (release = resolve));
    const write = connection.sendCommand.bind(connection);
    written = vi.spyOn(connection, 'sendCommand').mockImplementation((command: Command) => {
      const text = JSON.stringify(command.args);
      if (text.includes('op-refused')) void refusal.then(() => command.reject(new Error('OOM command not allowed')));
      else if (text.includes('op-held')) void released.then(() => write(command));
      else void write(command);
      return command.promise;
    });
  });

  async function expectOthersSent(refused: Promise<unknown>, held: Promise<unknown>): Promise<void> {
    refuse();
    await expect(refused).rejects.toThrow('OOM');
    release();
    await held;
    expect(await connection.exists(HELD.map((id) => `${prefix}:${QUEUE}:${id}`))).toBe(HELD.length);
  }

  it('fails alone when Redis refuses it at once', async () => {
    const refused = sender.send('job', {}, { jobId: 'op-refused' });
    const held = Promise.all(HELD.map((jobId) => sender.send('job', {}, { jobId })));
    held.catch(() => undefined);
    await expectOthersSent(refused, held);
  });

  it('fails alone when Redis has confirmed other jobs during its turn', async () => {
    const refused = sender.send('job', {}, { jobId: 'op-refused' });
    const confirmed = sender.send('job', {}, { jobId: 'op-confirmed' });
    const held = Promise.all(HELD.map((jobId) => sender.send('job', {}, { jobId })));
    held.catch(() => undefined);
    await confirmed;
    vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 3_000);
    await expectOthersSent(refused, held);
  });

  it('fails alone when this process stood still during its turn', async () => {
    const refused = sender.send('job', {}, { jobId: 'op-refused' });
    const held = Promise.all(HELD.map((jobId) => sender.send('job', {}, { jobId })));
    held.catch(() => undefined);
    await until('the job to be written', () => written.mock.calls.length > 0);
    vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 10_000);
    await expectOthersSent(refused, held);
  });
});

it('a job that waits for its turn when the sender closes is not sent', async () => {
  await sender.send('job', {}, { jobId: 'op-first' });
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const write = connection.sendCommand.bind(connection);
  const written = vi.spyOn(connection, 'sendCommand').mockImplementation((command: Command) => {
    if (JSON.stringify(command.args).includes('op-late')) void released.then(() => write(command));
    else void write(command);
    return command.promise;
  });
  const ids = Array.from({ length: 1_000 }, (_, at) => `op-late-${at}`);
  const sent = Promise.allSettled(ids.map((jobId) => sender.send('job', {}, { jobId })));
  await until('a job to be written', () => written.mock.calls.length > 0);
  await sender.close();
  release();
  for (const each of await sent) expect(each).toMatchObject({ reason: expect.any(ProducerClosed) as unknown });
  await connection.ping();
  expect(await connection.exists(ids.slice(-500).map((id) => `${prefix}:${QUEUE}:${id}`))).toBe(0);
});

it('a thousand questions for jobs take turns', async () => {
  await sender.send('job', {}, { jobId: 'op-first' });
  let answer = (): void => undefined;
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const write = connection.sendCommand.bind(connection);
  const written = vi.spyOn(connection, 'sendCommand').mockImplementation((command: Command) => {
    void answered.then(() => write(command));
    return command.promise;
  });
  const found = Promise.all(Array.from({ length: 1_000 }, (_, at) => sender.hasOpen(`op-${at}`)));
  await until('the first questions', () => written.mock.calls.length > 0);
  await setImmediate();
  const atOnce = written.mock.calls.length;
  answer();
  expect(new Set(await found)).toEqual(new Set([false]));
  expect(atOnce).toBeLessThan(500);
});

/** Less than the time after which a job is read again. */
const BEFORE_NEXT_READ_MS = 4_000;

it('a job that has ended is read again when the connection is lost during the read', async () => {
  const proxy = await TcpProxy.before(redisUrl);
  const far = connectSender(proxy.url, () => undefined);
  const connectForWaiting = () => connectWorker(redisUrl, () => undefined);
  const waiting = new Sender(QUEUE, { connection: far, connectForWaiting, prefix, onError: () => undefined });
  const worker = new Worker(QUEUE, () => Promise.resolve('done'), { connection, prefix });
  try {
    await waiting.send('job', {}, { jobId: 'op-ended' });
    await until('the end of the job', () => connection.hexists(`${prefix}:${QUEUE}:op-ended`, 'finishedOn'));
    proxy.silence();
    const written = vi.spyOn(far, 'sendCommand');
    const waited = waiting.wait('op-ended', { waitMs: BEFORE_NEXT_READ_MS });
    waited.catch(() => undefined);
    await until('the read', () => written.mock.calls.some(([{ name }]) => name === 'hgetall'));
    proxy.away();
    proxy.back();
    expect(await waited).toBe('done');
  } finally {
    await worker.close();
    await waiting.close();
    far.disconnect();
    await proxy.close();
  }
});
