import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectProducer, type RedisConnection } from '../../src/queue/connection.ts';
import { OwnerCheck, replaceOwner } from '../../src/queue/queue-owner.ts';
import { Harness } from '../support/harness.ts';
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
});
