import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dyingWithParent, spawnTied, type Tied } from './children.ts';
import { keepServer, type KeptServer, type ServerPlan } from './kept-server.ts';
import { LOOPBACK, onFreePort } from './ports.ts';
import { ensurePrograms } from './programs.ts';
import { makeScratch } from './scratch.ts';

export interface RedisServer extends KeptServer {
  readonly url: string;
  readonly dir: string;
}

export interface RedisOptions {
  /** Where its append-only file lives. Without it, a folder of its own, removed by `stop`. */
  readonly dir?: string;
  readonly port?: number;
  /** Over and above what every private Redis is set to. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** As production should have it (see docker-compose.yml): what was accepted is on disk, and nothing is evicted. */
const SETTINGS = {
  bind: LOOPBACK,
  appendonly: 'yes',
  appendfsync: 'everysec',
  'maxmemory-policy': 'noeviction',
  save: '',
  // Delayed jobs and expiries are looked after this often a second; the default of 10 makes tests wait.
  hz: '100',
} as const;

const STOP_LADDER = [{ signal: 'SIGTERM', waitMs: 3_000 }] as const;
const PING_TIMEOUT_MS = 500;

/** A private Redis: own port, own data, gone with this process. Never the one that may already run on the machine. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const program = await redisProgram();
  const scratch = options.dir === undefined ? makeScratch(tmpdir()) : undefined;
  const dir = options.dir ?? scratch?.path ?? '';
  mkdirSync(dir, { recursive: true });
  const start = (port: number): Promise<KeptServer> => keepServer(plan(program, dir, port, options.settings));
  try {
    const server = await (options.port === undefined ? onFreePort(start) : start(options.port));
    return asRedis(server, dir, () => scratch?.remove());
  } catch (error) {
    scratch?.remove();
    throw error;
  }
}

function plan(program: readonly string[], dir: string, port: number, settings: RedisOptions['settings']): ServerPlan {
  return {
    name: 'Redis',
    port,
    logFile: join(dir, 'redis.log'),
    stopLadder: STOP_LADDER,
    spawn: () => spawnRedis(program, { ...SETTINGS, ...settings, dir, port: String(port) }),
    answers: (pid) => isRedisReady(port, pid),
  };
}

function asRedis(server: KeptServer, dir: string, cleanUp: () => void): RedisServer {
  return {
    url: `redis://${LOOPBACK}:${server.port}`,
    dir,
    port: server.port,
    get pid() {
      return server.pid;
    },
    kill: (signal) => server.kill(signal),
    restart: () => server.restart(),
    async stop() {
      await server.stop();
      cleanUp();
    },
  };
}

function spawnRedis(program: readonly string[], settings: Readonly<Record<string, string>> & { dir: string }): Tied {
  const command = [...program, ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])];
  const log = openSync(join(settings.dir, 'redis.log'), 'a');
  try {
    return spawnTied(dyingWithParent(command), { stdio: ['ignore', log, log] });
  } finally {
    closeSync(log);
  }
}

/** The machine's own program where there is one; else the one unpacked beside PostgreSQL, run with its own libraries. */
async function redisProgram(): Promise<readonly string[]> {
  return hasRedisBinary() ? ['redis-server'] : unpackedRedis(await ensurePrograms());
}

export function hasRedisBinary(): boolean {
  return spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Debian's `redis-server` is another name of `redis-check-rdb`, which looks at the name it is called by. */
function unpackedRedis(root: string): readonly string[] {
  const lib = join(root, 'usr/lib');
  const libraries = join(lib, findIn(lib, /-linux-gnu/));
  const loader = join(libraries, findIn(libraries, /^ld-linux-.*\.so\./));
  return [loader, '--argv0', 'redis-server', '--library-path', libraries, join(root, 'usr/bin/redis-check-rdb')];
}

function findIn(folder: string, pattern: RegExp): string {
  const name = readdirSync(folder).find((entry) => pattern.test(entry));
  if (name === undefined) throw new Error(`expected a name like ${pattern.source} in ${folder}, found none`);
  return name;
}

/** Ready means: it is ours (not another that took the port meanwhile), and it has loaded its data. */
function isRedisReady(port: number, pid: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, LOOPBACK);
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    let answer = '';
    socket.setTimeout(PING_TIMEOUT_MS, () => {
      settle(false);
    });
    socket.once('error', () => {
      settle(false);
    });
    socket.on('data', (data) => {
      answer += data.toString();
      const theirs = /process_id:(\d+)\r/.exec(answer)?.[1];
      if (theirs !== undefined) settle(answer.startsWith('+PONG') && Number(theirs) === pid);
    });
    socket.write('PING\r\nINFO server\r\n');
  });
}
