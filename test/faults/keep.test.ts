import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isServerRootBuilt, serverRoot } from '../../dev/services/unpacked/cache.ts';
import { isAlive, processTree } from '../dev/services/support/processes.ts';
import { describeWith, OWN_SERVERS } from '../support/needs.ts';
import { until } from '../support/until.ts';

const TIMEOUT_MS = 180_000;

interface Started {
  readonly process: ChildProcess;
  readonly lines: string[];
}

/** A name that the settings of a server have to quote. */
const DATA = 'my "data" \\1';

/** Each start is a whole `npm start`, on private servers. */
describeWith(OWN_SERVERS)('npm start -- --keep DIR', { timeout: TIMEOUT_MS }, () => {
  let folder: string;
  let env: NodeJS.ProcessEnv;
  const running: ChildProcess[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'baton-test-keep-'));
    const { PATH, HOME } = process.env;
    env = { PATH, HOME, BATON_CACHE_DIR: ownCache(), INIT_CWD: folder };
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((child) => stop(child, 'SIGTERM')));
    rmSync(folder, { recursive: true });
  });

  /** A cache of its own, so that an `npm start` of a person in this checkout keeps its announcement. The servers are shared. */
  function ownCache(): string {
    const cache = join(folder, 'cache');
    mkdirSync(cache);
    if (isServerRootBuilt()) symlinkSync(serverRoot(), join(cache, basename(serverRoot())));
    return cache;
  }

  async function start(file = process.execPath, args: readonly string[] = ['dev/run.mjs', 'start']): Promise<Started> {
    const child = spawn(file, [...args, '--keep', join(folder, DATA)], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    running.push(child);
    const lines: string[] = [];
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: child.stderr }).on('line', (line) => {
        lines.push(line);
        if (line.includes('"msg":"worker ready"')) resolve();
      });
      child.once('exit', () => reject(new Error(`npm start has ended:\n${lines.join('\n')}`)));
    });
    return { process: child, lines };
  }

  async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }

  const announcements = (): string[] =>
    readdirSync(join(folder, 'cache')).filter((name) => name.startsWith('running-'));

  function baton(...args: string[]): string {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['dev/run.mjs', 'baton', ...args], {
      env,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    return stdout;
  }

  it('finds the data of the last start again, stops on SIGHUP, and lets one start use the folder', async () => {
    const first = await start();
    const path = join(folder, DATA);
    expect(first.lines.join('\n')).toContain(`their data are kept in ${path}: start again with the same --keep`);
    baton('campaign', 'create', 'Autumn', '--id', 'autumn');
    expect(announcements()).toHaveLength(1);
    const second = spawnSync(process.execPath, ['dev/run.mjs', 'start', '--keep', path], { env, encoding: 'utf8' });
    expect(second).toMatchObject({ status: 2, stdout: '' });
    expect(second.stderr).toMatch(/^baton: --keep .+: another `npm start` is using this folder; [^\n]*\n$/);

    await stop(first.process, 'SIGHUP');
    expect(announcements()).toEqual([]);
    await start();
    expect(baton('campaign', 'list')).toContain('Autumn');
  });

  it.each(['SIGHUP', 'SIGKILL', 'SIGTERM'] as const)('stops when only npm receives %s', async (signal) => {
    const { process: npm } = await start('npm', ['start', '--']);
    const processes = processTree(npm.pid ?? 0);
    npm.kill(signal);
    await until('the end of all processes', () => !processes.some(isAlive));
    expect(announcements()).toEqual([]);
  });
});
