import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unknownCampaign } from '../../src/domain/errors.ts';
import { problemOf } from '../../src/http/problem-of-error.ts';
import { testConfig } from '../support/harness.ts';

const { redisUrl } = testConfig().queue;
/** Nothing listens there. */
const NOWHERE = 'redis://127.0.0.1:1';

async function errorOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

function expectUnavailable(error: unknown): void {
  expect(error).toBeInstanceOf(Error);
  const { code, status, headers } = problemOf(error);
  expect({ error, code, status, headers }).toMatchObject({
    code: 'unavailable',
    status: 503,
    headers: { 'retry-after': '2' },
  });
}

describe('an error of Redis', () => {
  let redis: Redis;
  beforeAll(() => {
    redis = new Redis(redisUrl, { commandTimeout: 300, retryStrategy: () => null });
    redis.on('error', () => undefined);
  });
  afterAll(() => redis.disconnect());

  it('is 503 when Redis refuses a command for now', async () => {
    for (const text of [
      "OOM command not allowed when used memory > 'maxmemory'.",
      "READONLY You can't write against a read only replica.",
      'LOADING Redis is loading the dataset in memory',
      'MISCONF Redis is configured to save RDB snapshots',
    ]) {
      expectUnavailable(await errorOf(redis.eval('return redis.error_reply(ARGV[1])', 0, text)));
    }
  });

  it('is 500 when it does not pass by itself', async () => {
    expect(problemOf(await errorOf(redis.eval('return redis.error_reply(ARGV[1])', 0, 'WRONGTYPE x')))).toMatchObject({
      status: 500,
    });
  });

  it('is 503 when a command is not answered in time, or its connection is lost or refused', async () => {
    expectUnavailable(await errorOf(redis.blpop('nothing-is-pushed-here', 0)));
    redis.disconnect();
    expectUnavailable(await errorOf(redis.ping()));
    const nowhere = new Redis(NOWHERE, { lazyConnect: true, retryStrategy: () => null });
    const refused = new Promise<unknown>((resolve) => nowhere.on('error', resolve));
    await errorOf(nowhere.connect());
    const error = await refused;
    expectUnavailable(error);
    expectUnavailable(new AggregateError([error, error]));
  });
});

it('is 404 for a campaign that does not exist any more', () => {
  expect(problemOf(unknownCampaign('c1'))).toMatchObject({ status: 404, code: 'unknown-campaign' });
});
