import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Redis } from 'ioredis';
import { createProducer } from '../../src/producer/producer.ts';
import { Cli, cliEnv, spawnCli } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';
import { itWith, OWN_REDIS } from '../support/needs.ts';
import { startRedis } from '../../dev/services/services.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const PASSWORD = 'pl4nted-secret';
const MALFORMED = {
  'a port that is no number': `redis://alice:${PASSWORD}@127.0.0.1:63x79`,
  'a port that is too large': `redis://alice:${PASSWORD}@127.0.0.1:99999`,
  'a database name': `redis://alice:${PASSWORD}@127.0.0.1/prod`,
  'a password that is not encoded': `redis://alice:${PASSWORD}/x@127.0.0.1`,
} as const;

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.open();
});
afterAll(() => harness.close());

/** Starts a worker that ends before it is ready, and returns its one line. */
async function failedStart(env: NodeJS.ProcessEnv): Promise<{ code: number | null; line: Record<string, unknown> }> {
  const { code, log } = await WorkerProcess.begin(harness, env, {}).gone();
  const lines = log.trim().split('\n');
  expect(lines).toHaveLength(1);
  expect(log).not.toContain(PASSWORD);
  expect(log).not.toMatch(/\bat .*:\d+:\d+/);
  return { code, line: JSON.parse(lines[0] ?? '') as Record<string, unknown> };
}

describe('a worker that cannot start', () => {
  it.each(Object.entries(MALFORMED))(
    'logs one line and exits with 2 when REDIS_URL has %s',
    async (_what, redisUrl) => {
      const { code, line } = await failedStart({ REDIS_URL: redisUrl });
      expect(code).toBe(2);
      expect(line).toMatchObject({ code: 'bad-config', msg: expect.stringMatching(/REDIS_URL (has|must)/) as string });
    },
  );

  it('logs one line and exits with 2 when MONGODB_URI or a setting is wrong', async () => {
    const badUri = await failedStart({ MONGODB_URI: `mongodb://alice:${PASSWORD}@127.0.0.1:x/baton` });
    expect(badUri).toMatchObject({
      code: 2,
      line: { msg: expect.stringContaining('MONGODB_URI has a port') as string },
    });
    const badSetting = await failedStart({ BATON_LOCK_MS: PASSWORD });
    expect(badSetting).toMatchObject({ code: 2, line: { msg: expect.stringContaining('BATON_LOCK_MS') as string } });
  });

  it('logs one line and exits with 1 when MongoDB cannot be reached', async () => {
    const away = {
      MONGODB_URI: `mongodb://alice:${PASSWORD}@127.0.0.1:1/baton`,
      BATON_MONGODB_SELECTION_TIMEOUT_MS: '300',
    };
    const { code, line } = await failedStart(away);
    expect(code).toBe(1);
    expect(line['msg']).toMatch(
      /^the worker cannot start: MongoDB \(MONGODB_URI\): .*ECONNREFUSED.*; start MongoDB, or correct MONGODB_URI$/,
    );
  });

  itWith(OWN_REDIS)('logs one line that says what to do when the password of Redis is wrong or missing', async () => {
    const redis = await startRedis();
    try {
      const { host } = new URL(redis.url);
      const wrong = await failedStart({ REDIS_URL: `redis://:${PASSWORD}@${host}` });
      const none = await failedStart({ REDIS_URL: `redis://${host}` });
      expect([wrong.code, wrong.line['msg']]).toEqual([
        2,
        'Redis refuses the user name or the password in REDIS_URL: correct them',
      ]);
      expect([none.code, none.line['msg']]).toEqual([2, 'Redis needs a password: add it to REDIS_URL']);
    } finally {
      await redis.stop();
    }
  });

  itWith(OWN_REDIS)('logs one line when a right or the database number is missing', async () => {
    const redis = await startRedis();
    try {
      const admin = new Redis(redis.url);
      await admin.call('ACL', 'SETUSER', 'worker', 'on', `>${PASSWORD}`, '~*', '+@all', '-info', 'resetchannels');
      await admin.call('ACL', 'SETUSER', 'worker', '+info');
      admin.disconnect();
      const { host } = new URL(redis.url);
      const noChannels = await failedStart({ REDIS_URL: `redis://worker:${PASSWORD}@${host}` });
      expect(noChannels.code).toBe(2);
      expect(noChannels.line['msg']).toMatch(/^Redis does not let Baton publish messages: the user lacks the right/);
      const url = `${redis.url}/99`;
      const { code, log } = await WorkerProcess.begin(harness, { REDIS_URL: url }, {}).gone();
      expect(code).toBe(2);
      expect(log).toContain('Redis refuses the database number');
    } finally {
      await redis.stop();
    }
  });
});

describe('a command that cannot start', () => {
  it.each(Object.entries(MALFORMED))(
    'prints one line and exits with 2 when REDIS_URL has %s',
    async (_what, redisUrl) => {
      const ran = await spawnCli({ ...cliEnv(harness.config), REDIS_URL: redisUrl }, ['doctor']);
      expect(ran).toMatchObject({ status: 2, out: '' });
      expect(ran.err).toMatch(/^baton: bad-config: REDIS_URL (has|must) [^\n]*\n$/);
      expect(ran.err).not.toContain(PASSWORD);
    },
  );

  it('prints one line when MongoDB cannot be reached or refuses the user', async () => {
    const uri = `mongodb://alice:${PASSWORD}@127.0.0.1:1/baton`;
    const cli = new Cli({ ...cliEnv(harness.config), MONGODB_URI: uri, BATON_MONGODB_SELECTION_TIMEOUT_MS: '300' });
    const ran = await cli.run(['senders', 'c1']);
    expect(ran).toMatchObject({ status: 1, out: '' });
    expect(ran.err).toMatch(/^baton: database-unavailable: [^\n]*; start MongoDB, or correct MONGODB_URI\n$/);
    expect(ran.err).not.toContain(PASSWORD);
  });
});

describe('a producer', () => {
  it.each(Object.entries(MALFORMED))('refuses an address with %s at once, in words', (_what, redisUrl) => {
    let error: unknown;
    try {
      createProducer({ redisUrl });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ name: 'Refusal', code: 'bad-config' });
    expect(`${JSON.stringify(error)} ${String(error)} ${(error as Error).stack ?? ''}`).not.toContain(PASSWORD);
  });

  itWith(OWN_REDIS)('writes nothing to database 0 when Redis does not have the number', async () => {
    const redis = await startRedis();
    const errors: Error[] = [];
    const producer = createProducer({ redisUrl: `${redis.url}/99`, onError: (error) => errors.push(error) });
    try {
      await until('the producer to report the number', () => errors.length > 0);
      const refilled = producer.poolRefilled('c1');
      await expect(refilled).rejects.toMatchObject({ code: 'queue-unavailable' });
      expect(errors[0]?.message).toContain('Redis refuses the database number');
      const admin = new Redis(redis.url);
      expect(await admin.keys('*')).toEqual([]);
      admin.disconnect();
    } finally {
      await producer.close();
      await redis.stop();
    }
  });
});
