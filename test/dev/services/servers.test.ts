import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import mongoose from 'mongoose';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { hasRedisBinary } from '../../../dev/services/redis.ts';
import { isRootBuilt } from '../../../dev/services/unpacked/cache.ts';
import { makeScratch } from '../../../dev/services/scratch.ts';
import { startDocumentDb, startRedis } from '../../../dev/services/services.ts';
import { familyOf, isAlive } from './support/processes.ts';

const isLinux = process.platform === 'linux';
/** Never builds: where no private servers were needed to run the tests, there are none to be tested. */
const hasRedis = isLinux && (hasRedisBinary() || isRootBuilt());
const hasDocumentDb = isLinux && isRootBuilt() && process.getuid?.() === 0;
/** Far longer than it takes: other commands may be busy on the same machine. */
const GONE_WITHIN_MS = 20_000;

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  while (stops.length > 0) await stops.pop()?.();
});

async function redisOf(url: string): Promise<Redis> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => undefined);
  onTestFinished(() => {
    redis.disconnect();
  });
  await redis.connect();
  return redis;
}

async function allGone(pids: readonly number[]): Promise<void> {
  await vi.waitFor(
    () => {
      expect(pids.filter(isAlive)).toEqual([]);
    },
    { timeout: GONE_WITHIN_MS, interval: 20 },
  );
}

describe.runIf(hasRedis)('a private Redis', () => {
  test('keeps its data and port through kill -9 and restart, and its folder goes with stop', async () => {
    const server = await startRedis();
    stops.push(() => server.stop());
    const first = server.pid;
    await (await redisOf(server.url)).set('kept', 'yes');
    await vi.waitFor(async () => {
      expect(await (await redisOf(server.url)).info('persistence')).toContain('aof_pending_bio_fsync:0');
    });

    await server.kill('SIGKILL');
    await expect(redisOf(server.url)).rejects.toThrow();
    await server.restart();

    expect(server.pid).not.toBe(first);
    expect(await (await redisOf(server.url)).get('kept')).toBe('yes');
    await server.stop();
    expect(isAlive(server.pid)).toBe(false);
    expect(existsSync(server.dir)).toBe(false);
  });

  test('stops although it was frozen', async () => {
    const server = await startRedis();
    await server.kill('SIGSTOP');
    await server.stop();
    expect(isAlive(server.pid)).toBe(false);
  });

  test('has settings that lose no job', async () => {
    const server = await startRedis();
    stops.push(() => server.stop());
    const redis = await redisOf(server.url);
    expect(await redis.config('GET', 'appendonly')).toEqual(['appendonly', 'yes']);
    expect(await redis.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
  });
});

describe.runIf(hasDocumentDb)('a private DocumentDB', () => {
  test('keeps what it confirmed through kill -9 of its PostgreSQL', async () => {
    const server = await startDocumentDb();
    stops.push(() => server.stop());
    const connection = await mongoose.createConnection(server.uri).asPromise();
    stops.push(() => connection.close());
    const family = familyOf(server.pid);
    await connection.collection<{ _id: number }>('kept').insertOne({ _id: 1 });

    await server.kill('SIGKILL');
    await allGone(family);
    await server.restart();

    await vi.waitFor(
      async () => {
        expect(await connection.collection('kept').countDocuments({})).toBe(1);
      },
      { timeout: GONE_WITHIN_MS, interval: 100 },
    );
  });
});

describe.runIf(hasRedis)('whoever started servers and is killed with kill -9', () => {
  test('leaves no process behind, and no folder for long', async () => {
    const main = fileURLToPath(new URL('support/supervisor.ts', import.meta.url));
    const names = ['redis', ...(hasDocumentDb ? ['documentdb'] : [])];
    const supervisor = spawn(process.execPath, ['--import', 'tsx', main, ...names], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(supervisor.stdout, 'data')) as [Buffer];
    const servers = JSON.parse(line.toString()) as { pid: number; dir: string }[];
    const family = familyOf(supervisor.pid ?? 0);
    expect(family).toEqual(expect.arrayContaining(servers.map(({ pid }) => pid)));

    supervisor.kill('SIGKILL');

    await allGone(family);
    // The folders stay until the next start looks.
    for (const { dir } of servers) {
      expect(existsSync(dir)).toBe(true);
      makeScratch(dirname(dir)).remove();
      expect(existsSync(dir)).toBe(false);
    }
  });
});
