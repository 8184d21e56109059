import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProducerClosed } from '../../src/domain/errors.ts';
import { createProducer } from '../../src/producer/producer.ts';
import { Harness } from '../support/harness.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const AT_ONCE_MS = 500;
const EXITED_WITHIN_MS = 8_000;
const LONG = { waitMs: 3_600_000 };

/** No worker runs, so no wait ends by itself. */
describe('a producer that is closed', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  const request = () =>
    ({
      operationId: harness.newId('op'),
      campaignId: 'c1',
      from: 'pool',
      to: 'everyone',
      status: 'any',
    }) as const;

  it('rejects every call that waits, and every later call, with ProducerClosed at once', async () => {
    const producer = createProducer(harness.config.queue);
    const sent = await producer.reassign(request());
    const { operationId } = request();
    const waits = [
      sent.result(LONG),
      sent.result(LONG),
      producer.result(sent.operationId, LONG),
      producer.result('op_unknown', LONG),
      producer.get(operationId, LONG),
      producer.preview({ kind: 'reassign', ...request() }, LONG),
    ].map((wait) => wait.catch((error: unknown) => error));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const began = performance.now();
    const closing = producer.close();
    const errors = await Promise.all(waits);
    expect(performance.now() - began).toBeLessThan(AT_ONCE_MS);
    await closing;
    expect(errors.map((error) => (error as Error).name)).toEqual(errors.map(() => 'ProducerClosed'));
    await expect(producer.reassign(request())).rejects.toBeInstanceOf(ProducerClosed);
    await expect(sent.result(LONG)).rejects.toBeInstanceOf(ProducerClosed);
  });

  it('rejects the calls that wait for Redis, and leaves no listener after Redis was away many times', async () => {
    const proxy = await TcpProxy.before(harness.config.queue.redisUrl);
    const producer = createProducer({ ...harness.config.queue, redisUrl: proxy.url });
    const warnings: Error[] = [];
    const note = (warning: Error): unknown => warnings.push(warning);
    process.on('warning', note);
    for (let time = 0; time < 15; time += 1) {
      proxy.away();
      const sent = producer.reassign(request());
      proxy.back();
      await sent;
    }
    proxy.away();
    const began = performance.now();
    const waits = [producer.reassign(request()), producer.preview({ kind: 'reassign', ...request() })];
    const ended = Promise.all(waits.map((wait) => wait.catch((error: unknown) => (error as Error).name)));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const closing = producer.close();
    expect(await ended).toEqual(['ProducerClosed', 'ProducerClosed']);
    // Without the close, the calls would wait for four seconds.
    expect(performance.now() - began).toBeLessThan(AT_ONCE_MS * 4);
    await closing;
    process.off('warning', note);
    expect(warnings).toEqual([]);
    await proxy.close();
  });

  it('lets the process exit although a result is still awaited', async () => {
    const { redisUrl, prefix } = harness.config.queue;
    const code = `
      import { createProducer } from './src/index.ts';
      const producer = createProducer(${JSON.stringify({ redisUrl, prefix })});
      const sent = await producer.reassign(${JSON.stringify(request())});
      sent.result({ waitMs: 3_600_000 }).catch((error) => console.log(error.code));
      setTimeout(() => void producer.close(), 200);`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], { cwd: ROOT });
    let out = '';
    child.stdout.on('data', (piece: Buffer) => (out += piece.toString()));
    const timer = setTimeout(() => child.kill('SIGKILL'), EXITED_WITHIN_MS);
    const [exit] = (await once(child, 'exit')) as [number | null];
    clearTimeout(timer);
    expect({ exit, out }).toEqual({ exit: 0, out: 'producer-closed\n' });
  });
});
