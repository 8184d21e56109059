import { spawnSync } from 'node:child_process';
import { openSync, closeSync, mkdirSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dyingWithParent, spawnTied, type Tied } from './children.ts';
import { keepServer, type KeptServer } from './kept-server.ts';
import { freePort, LOOPBACK } from './ports.ts';
import { ensureRoot } from './root/build.ts';
import { makeTemplate } from './postgres.ts';
import { makeScratch, type Scratch } from './scratch.ts';

export interface RedisServer extends KeptServer {
  readonly url: string;
  readonly dir: string;
}

export interface RedisOptions {
  /** Where its append-only file lives. Without it, a folder of its own, removed by `stop`. */
  readonly dir?: string;
  readonly port?: number;
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
  const port = options.port ?? (await freePort());
  const server = await keepServer({
    name: 'Redis',
    port,
    logFile: join(dir, 'redis.log'),
    stopLadder: STOP_LADDER,
    spawn: () => spawnRedis(program, dir, port),
    answers: () => answersPing(port),
  }).catch((error: unknown) => {
    scratch?.remove();
    throw error;
  });
  return withCleanUp(server, { url: `redis://${LOOPBACK}:${port}`, dir }, scratch);
}

function withCleanUp(server: KeptServer, names: { url: string; dir: string }, scratch?: Scratch): RedisServer {
  return Object.assign(Object.create(server) as KeptServer, names, {
    async stop() {
      await server.stop();
      scratch?.remove();
    },
  });
}

function spawnRedis(program: readonly string[], dir: string, port: number): Tied {
  const settings = Object.entries({ ...SETTINGS, dir, port: String(port) });
  const command = [...program, ...settings.flatMap(([name, value]) => [`--${name}`, value])];
  const log = openSync(join(dir, 'redis.log'), 'a');
  try {
    return spawnTied(dyingWithParent(command), { stdio: ['ignore', log, log] });
  } finally {
    closeSync(log);
  }
}

/** The machine's own program where there is one; else the one unpacked beside PostgreSQL, run with its own libraries. */
async function redisProgram(): Promise<readonly string[]> {
  return hasRedisBinary() ? ['redis-server'] : unpackedRedis(await ensureRoot(makeTemplate));
}

export function hasRedisBinary(): boolean {
  return spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Debian's `redis-server` is another name of `redis-check-rdb`, which looks at the name it is called by. */
export function unpackedRedis(root: string): readonly string[] {
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

/** False while it loads its data: the answer then is an error, not PONG. */
function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, LOOPBACK);
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(PING_TIMEOUT_MS, () => {
      settle(false);
    });
    socket.once('error', () => {
      settle(false);
    });
    socket.once('data', (data) => {
      settle(data.toString().startsWith('+PONG'));
    });
    socket.write('PING\r\n');
  });
}
