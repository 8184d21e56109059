import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTemporaryFolder } from './cleanup.ts';
import {
  LOOPBACK,
  onFreePort,
  startManagedServer,
  withFields,
  type ManagedServer,
  type ServerDefinition,
} from './managed-server.ts';
import { ensureServerRoot } from './postgres.ts';
import { askVersion, killedWithParent, spawnChild, type Child } from './processes.ts';

export interface RedisServer extends ManagedServer {
  readonly url: string;
  /** The folder with data and log. */
  readonly dir: string;
}

export interface RedisOptions {
  /** The folder of the append-only file. Default: a temporary folder that `stop` removes. */
  readonly dir?: string;
  readonly port?: number;
  /** Default: a random one. Without a password, every user of the machine could use the server. */
  readonly password?: string;
  /** Added to the settings of every private Redis. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** As production needs it (see docker-compose.yml): writes reach the disk and nothing is evicted. */
const SETTINGS = {
  bind: LOOPBACK,
  appendonly: 'yes',
  appendfsync: 'everysec',
  'maxmemory-policy': 'noeviction',
  save: '',
  // Expires keys 100 times a second. With the default of 10, tests wait longer.
  hz: '100',
} as const;

const STOP_SEQUENCE = [{ signal: 'SIGTERM', waitMs: 3_000 }] as const;
const PING_TIMEOUT_MS = 500;
const PASSWORD_BYTES = 24;
const READABLE_BY_OWNER = 0o600;

interface Started {
  readonly settings: RedisOptions['settings'];
  readonly password: string;
}

/** Starts a private Redis with its own port and data. It stops with this process. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const program = await redisProgram();
  const temporary = options.dir === undefined ? createTemporaryFolder(tmpdir()) : undefined;
  const dir = options.dir ?? temporary?.path ?? '';
  mkdirSync(dir, { recursive: true });
  const password = options.password ?? randomBytes(PASSWORD_BYTES).toString('base64url');
  const start = (port: number): Promise<ManagedServer> =>
    startManagedServer(define(program, dir, port, { settings: options.settings, password }));
  try {
    const server = await (options.port === undefined ? onFreePort(start) : start(options.port));
    const url = `redis://:${password}@${LOOPBACK}:${server.port}`;
    return withFields(server, { url, dir }, () => temporary?.remove());
  } catch (error) {
    temporary?.remove();
    throw error;
  }
}

function define(
  program: readonly string[],
  dir: string,
  port: number,
  { settings, password }: Started,
): ServerDefinition {
  return {
    name: 'Redis',
    port,
    logFile: join(dir, 'redis.log'),
    stopSequence: STOP_SEQUENCE,
    spawn: () => spawnRedis(program, dir, { ...SETTINGS, ...secrets(password), ...settings, dir, port: String(port) }),
    isReady: (pid) => isRedisReady(port, password, pid),
  };
}

/** The other nodes of a cluster have the same password. */
function secrets(password: string): Readonly<Record<string, string>> {
  return { requirepass: password, masterauth: password };
}

/** The settings are in a file, because every user of the machine can read the arguments of a process. */
function spawnRedis(program: readonly string[], dir: string, settings: Readonly<Record<string, string>>): Child {
  const file = join(dir, 'redis.conf');
  // Redis and JSON write quotation marks and backslashes in a quoted value in the same way.
  const lines = Object.entries(settings).map(([name, value]) => `${name} ${JSON.stringify(value)}\n`);
  writeFileSync(file, lines.join(''), { mode: READABLE_BY_OWNER });
  const log = openSync(join(dir, 'redis.log'), 'a');
  try {
    return spawnChild(killedWithParent([...program, file]), { stdio: ['ignore', log, log] });
  } finally {
    closeSync(log);
  }
}

/** Prefers the installed program to the unpacked one, which runs with the unpacked libraries. */
async function redisProgram(): Promise<readonly string[]> {
  return hasRedisServer() ? ['redis-server'] : unpackedRedis(await ensureServerRoot());
}

export function hasRedisServer(): boolean {
  return typeof askVersion('redis-server') === 'object';
}

/** Debian's `redis-server` is a link to `redis-check-rdb`, which decides by the name of the command. */
function unpackedRedis(root: string): readonly string[] {
  const lib = join(root, 'usr/lib');
  const libraries = join(lib, findName(lib, /-linux-gnu/));
  const loader = join(libraries, findName(libraries, /^ld-linux-.*\.so\./));
  return [loader, '--argv0', 'redis-server', '--library-path', libraries, join(root, 'usr/bin/redis-check-rdb')];
}

function findName(folder: string, pattern: RegExp): string {
  const name = readdirSync(folder).find((entry) => pattern.test(entry));
  if (name === undefined) throw new Error(`${folder} has no file that matches ${pattern.source}`);
  return name;
}

/** True when this server, not another one on the same port, has loaded its data. */
function isRedisReady(port: number, password: string, pid: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, LOOPBACK);
    const settle = (reply: boolean): void => {
      socket.destroy();
      resolve(reply);
    };
    let reply = '';
    socket.setTimeout(PING_TIMEOUT_MS, () => {
      settle(false);
    });
    socket.once('error', () => {
      settle(false);
    });
    socket.on('data', (data) => {
      reply += data.toString();
      const answeringPid = /process_id:(\d+)\r/.exec(reply)?.[1];
      if (answeringPid !== undefined) settle(reply.startsWith('+OK\r\n+PONG') && Number(answeringPid) === pid);
    });
    socket.write(`AUTH ${password}\r\nPING\r\nINFO server\r\n`);
  });
}
