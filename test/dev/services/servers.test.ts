import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import mongoose from 'mongoose';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { createTemporaryFolder } from '../../../dev/services/cleanup.ts';
import { startDocumentDb, startRedis } from '../../../dev/services/services.ts';
import { describeWith, OWN_DATABASE, OWN_REDIS } from '../../support/needs.ts';
import { processTree, isAlive } from './support/processes.ts';

/** Long enough for a machine that is busy with other commands. */
const EXIT_TIMEOUT_MS = 20_000;
/** The rights of users who are neither the owner nor root. */
const OF_OTHERS = 0o077;
/** `onFreePort` recognises a taken port by these words in the log of the server. */
const PORT_TAKEN = /address already in use/i;

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  while (stops.length > 0) await stops.pop()?.();
});

async function connectRedis(url: string): Promise<Redis> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => undefined);
  onTestFinished(() => {
    redis.disconnect();
  });
  await redis.connect();
  return redis;
}

async function untilExited(pids: readonly number[]): Promise<void> {
  await vi.waitFor(
    () => {
      expect(pids.filter(isAlive)).toEqual([]);
    },
    { timeout: EXIT_TIMEOUT_MS, interval: 20 },
  );
}

describeWith(OWN_REDIS)('a private Redis', () => {
  test('keeps its data and port through kill -9 and restart, and stop removes its folder', async () => {
    const server = await startRedis();
    stops.push(() => server.stop());
    const firstPid = server.pid;
    await (await connectRedis(server.url)).set('saved', 'yes');
    await vi.waitFor(async () => {
      expect(await (await connectRedis(server.url)).info('persistence')).toContain('aof_pending_bio_fsync:0');
    });

    await server.kill('SIGKILL');
    await expect(connectRedis(server.url)).rejects.toThrow();
    await server.restart();

    expect(server.pid).not.toBe(firstPid);
    expect(await (await connectRedis(server.url)).get('saved')).toBe('yes');
    await server.stop();
    expect(isAlive(server.pid)).toBe(false);
    expect(existsSync(server.dir)).toBe(false);
  });

  test('reports the end of its log when its port is taken', async () => {
    const server = await startRedis();
    stops.push(() => server.stop());
    await expect(startRedis({ port: server.port })).rejects.toThrow(PORT_TAKEN);
  });

  test('refuses clients without its password, which no other user can read', async () => {
    const server = await startRedis();
    stops.push(() => server.stop());
    const { password, host } = new URL(server.url);
    expect(password).not.toBe('');
    const stranger = connect(Number(host.split(':')[1]), '127.0.0.1');
    stops.push(() => Promise.resolve(stranger.destroy()));
    stranger.write('GET x\r\n');
    expect(String(await once(stranger, 'data'))).toContain('NOAUTH');
    expect(readFileSync(`/proc/${server.pid}/cmdline`, 'utf8')).not.toContain(password);
    expect(readFileSync(join(server.dir, 'redis.log'), 'utf8')).not.toContain(password);
    expect(statSync(join(server.dir, 'redis.conf')).mode & OF_OTHERS).toBe(0);
  });

  test('stops even while SIGSTOP suspends it', async () => {
    const server = await startRedis();
    await server.kill('SIGSTOP');
    await server.stop();
    expect(isAlive(server.pid)).toBe(false);
  });

  test('has settings that lose no jobs', async () => {
    const server = await startRedis();
    stops.push(() => server.stop());
    const redis = await connectRedis(server.url);
    expect(await redis.config('GET', 'appendonly')).toEqual(['appendonly', 'yes']);
    expect(await redis.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
  });
});

describeWith(OWN_DATABASE)('a private DocumentDB', () => {
  test('has a PostgreSQL that listens on no port, and a socket that other users cannot reach', async () => {
    const server = await startDocumentDb();
    stops.push(() => server.stop());
    const [folder = ''] = server.postgres.split(':');
    expect(statSync(folder).mode & OF_OTHERS).toBe(0);
    expect(statSync(join(folder, `.s.PGSQL.${server.port}`)).mode & OF_OTHERS).toBe(0);
    const connected = once(connect(server.port, '127.0.0.1'), 'connect');
    await expect(connected).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    const asNobody = ['--reuid', '65534', '--regid', '65534', '--clear-groups', process.execPath, '-e'];
    const code = `require('net').connect('${folder}/.s.PGSQL.${server.port}').on('error', (e) => console.log(e.code))`;
    expect(spawnSync('setpriv', [...asNobody, code], { encoding: 'utf8', cwd: '/' }).stdout).toBe('EACCES\n');
  });

  test('keeps every confirmed write through kill -9 of PostgreSQL', async () => {
    const server = await startDocumentDb();
    stops.push(() => server.stop());
    const connection = await mongoose.createConnection(server.uri).asPromise();
    stops.push(() => connection.close());
    const processes = processTree(server.pid);
    await connection.collection<{ _id: number }>('saved').insertOne({ _id: 1 });

    await server.kill('SIGKILL');
    await untilExited(processes);
    await server.restart();

    await vi.waitFor(
      async () => {
        expect(await connection.collection('saved').countDocuments({})).toBe(1);
      },
      { timeout: EXIT_TIMEOUT_MS, interval: 100 },
    );
  });
});

describeWith(OWN_REDIS)('kill -9 of the process that started servers', () => {
  test('ends all server processes, and the next start removes their folders', async () => {
    const main = fileURLToPath(new URL('support/supervisor.ts', import.meta.url));
    const names = ['redis', ...(OWN_DATABASE.isMet ? ['documentdb'] : [])];
    const supervisor = spawn(process.execPath, ['--import', 'tsx', main, ...names], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(supervisor.stdout, 'data')) as [Buffer];
    const servers = JSON.parse(line.toString()) as { pid: number; dir: string }[];
    const processes = processTree(supervisor.pid ?? 0);
    expect(processes).toEqual(expect.arrayContaining(servers.map(({ pid }) => pid)));

    supervisor.kill('SIGKILL');

    await untilExited(processes);
    for (const { dir } of servers) {
      expect(existsSync(dir)).toBe(true);
      createTemporaryFolder(dirname(dir)).remove();
      expect(existsSync(dir)).toBe(false);
    }
  });
});
