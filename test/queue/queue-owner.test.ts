import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectProducer, connectSender, type RedisConnection } from '../../src/queue/connection.ts';
import { OwnerCheck, replaceOwner } from '../../src/queue/queue-owner.ts';
import { Sender } from '../../src/queue/sender.ts';
import { Harness } from '../support/harness.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

const OTHER = { code: 'other-database' };

let harness: Harness;
let redis: RedisConnection;
let prefix: string;
beforeAll(async () => {
  harness = await Harness.open();
  redis = connectProducer(harness.config.queue.redisUrl, () => undefined);
  await until('the connection', () => redis.status === 'ready');
});
afterAll(async () => {
  redis.disconnect();
  await harness.close();
});
beforeEach(() => {
  prefix = `{${harness.newId('prefix')}}`;
});

describe('the check of the database that the queues belong to', () => {
  it('asks Redis once a second', async () => {
    const check = new OwnerCheck(redis, prefix, 'own');
    await replaceOwner(redis, prefix, 'own');
    const asked = vi.spyOn(redis, 'hget');
    const now = performance.now();
    const time = vi.spyOn(performance, 'now').mockReturnValue(now);
    await check.require();
    await check.require();
    expect(asked).toHaveBeenCalledTimes(1);
    await replaceOwner(redis, prefix, 'other');
    time.mockReturnValue(now + 1_001);
    await expect(check.require()).rejects.toMatchObject(OTHER);
    await expect(check.require()).rejects.toMatchObject(OTHER);
  });

  it('asks again on the next connection, which may lead to another Redis', async () => {
    const check = new OwnerCheck(redis, prefix, 'own');
    await replaceOwner(redis, prefix, 'own');
    await check.require();
    await replaceOwner(redis, prefix, 'other');
    const connected = once(redis, 'ready');
    redis.disconnect(true);
    await connected;
    await expect(check.require()).rejects.toMatchObject(OTHER);
  });

  it('asks again while the queues belong to no database', async () => {
    const check = new OwnerCheck(redis, prefix, 'own');
    await check.require();
    await replaceOwner(redis, prefix, 'other');
    await expect(check.require()).rejects.toMatchObject(OTHER);
  });

  it('is repeated when the connection is lost before the job is confirmed, so the job reaches no other database', async () => {
    const proxy = await TcpProxy.before(harness.config.queue.redisUrl);
    const connection = connectSender(proxy.url, () => undefined);
    const owner = new OwnerCheck(connection, prefix, 'own');
    const parts = { connection, connectForWaiting: () => connection, prefix, onError: () => undefined, owner };
    const sender = new Sender('jobs', parts);
    try {
      await replaceOwner(redis, prefix, 'own');
      await sender.send('job', {}, { jobId: 'first' });
      proxy.silence();
      const sent = vi.spyOn(connection, 'sendCommand');
      const sending = sender.send('job', {}, { jobId: 'second' });
      await until('the job to be written', () => sent.mock.calls.length > 0);
      await replaceOwner(redis, prefix, 'other');
      proxy.away();
      proxy.back();
      await expect(sending).rejects.toMatchObject(OTHER);
      expect(await redis.exists(`${prefix}:jobs:first`, `${prefix}:jobs:second`)).toBe(1);
    } finally {
      await sender.close();
      connection.disconnect();
      await proxy.close();
    }
  });
});
