import { spawnSync } from 'node:child_process';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { startManagedServer, type ManagedServer } from './managed-server.ts';
import { SetupError } from './messages.ts';
import { runTool, spawnChild, type Child, type StopSequence } from './processes.ts';
import { buildServerRoot } from './unpacked/build.ts';
import { TEMPLATE } from './unpacked/cache.ts';
import { recipe } from './unpacked/recipe.ts';

const BIN = '/usr/lib/postgresql/18/bin';

/** As durable as production (fsync, synchronous_commit, full_page_writes), so that benchmarks are honest. */
const SETTINGS = {
  // Everybody who can connect is a superuser, so only root and the server's user can reach the socket.
  listen_addresses: '',
  unix_socket_permissions: '0700',
  max_connections: '200',
  shared_preload_libraries: recipe.preload,
  'cron.database_name': 'postgres',
  // Index type that returns rows in order. Without it, every sorted page reads and sorts its whole range.
  'documentdb.alternate_index_handler_name': 'extended_rum',
  shared_buffers: '512MB',
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
  // A new server would delay commits while it fills log segments with zeros; an old server reuses segments instead.
  // Durability does not depend on this setting.
  wal_init_zero: 'off',
  fsync: 'on',
  synchronous_commit: 'on',
  autovacuum: 'on',
  // The LLVM library is not unpacked.
  jit: 'off',
  // Shared memory in the data folder is removed with it. System segments would remain after `kill -9`.
  dynamic_shared_memory_type: 'mmap',
  log_checkpoints: 'off',
} as const;

/** "Fast" shutdown (ends sessions, writes a checkpoint), then "immediate" (recovers at the next start). */
const STOP_SEQUENCE: StopSequence = [
  { signal: 'SIGINT', waitMs: 5_000 },
  { signal: 'SIGQUIT', waitMs: 3_000 },
];

const CONNECT_TIMEOUT_MS = 1_000;
/** A minimal environment, because PostgreSQL reads settings from the environment. */
const SERVER_ENV = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', TZ: 'UTC' };

export interface PostgresOptions {
  readonly root: string;
  /** The path of the data folder as seen inside the root. */
  readonly data: string;
  /** The folder outside the root that appears at `data`. Default: `data` is a folder in the root. */
  readonly keptIn?: string | undefined;
  /** A path outside the data folder. */
  readonly logFile: string;
}

export interface PostgresServer extends ManagedServer {
  /** The folder of the socket. The clients of PostgreSQL take it in the place of a host. */
  readonly socketFolder: string;
}

/** A part of the name of the socket. No port is opened. */
export const POSTGRES_PORT = 5432;
/** The limit of the system for the path of a socket, without the byte at its end. */
const SOCKET_PATH_BYTES_MAX = 107;

export async function startPostgres({ root, data, keptIn, logFile }: PostgresOptions): Promise<PostgresServer> {
  const inside = dirname(data);
  const socketFolder = join(root, inside);
  const socket = join(socketFolder, `.s.PGSQL.${POSTGRES_PORT}`);
  if (Buffer.byteLength(socket) > SOCKET_PATH_BYTES_MAX) {
    throw new SetupError(
      `the path ${socket} is too long for a socket: set BATON_CACHE_DIR to a folder with a shorter path`,
    );
  }
  writeFileSync(join(keptIn ?? join(root, data), 'postgresql.conf'), configuration(inside));
  const server = await startManagedServer({
    name: 'PostgreSQL',
    port: POSTGRES_PORT,
    logFile,
    stopSequence: STOP_SEQUENCE,
    spawn: () => spawnPostgres({ root, data, keptIn, logFile }),
    isReady: () => isReady(socketFolder),
  });
  // Not a copy, because the process id changes at a restart.
  return Object.defineProperty(server, 'socketFolder', { value: socketFolder }) as PostgresServer;
}

function configuration(socketFolder: string): string {
  const settings = {
    ...SETTINGS,
    unix_socket_directories: socketFolder,
    port: String(POSTGRES_PORT),
    // The extensions connect to their own server.
    'documentdb.localhost_connection_string': `host=${socketFolder}`,
    'cron.host': socketFolder,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'`);
  return `${lines.join('\n')}\n`;
}

function spawnPostgres({ root, data, keptIn, logFile }: PostgresOptions): Child {
  const command = inRoot(root, [`${BIN}/postgres`, '-D', data]);
  const log = openSync(logFile, 'a');
  try {
    // Nothing is written to the fourth stream. It closes when the last server process, orphans included, has exited.
    return spawnChild(keptIn === undefined ? command : withFolderAt(join(root, data), keptIn, command), {
      stdio: ['ignore', log, log, 'pipe'],
      env: SERVER_ENV,
    });
  } finally {
    closeSync(log);
  }
}

/**
 * Returns the command to run inside the root as the server's user. An own IPC namespace removes the System V segment
 * that PostgreSQL would leave behind after `kill -9`. The kernel sends SIGQUIT when the parent exits, so that PostgreSQL
 * stops its helper processes too. The change of user comes first, because it would clear that signal.
 */
function inRoot(root: string, command: readonly string[]): readonly string[] {
  const uid = String(recipe.serverUid);
  const user = ['--reuid', uid, '--regid', uid, '--clear-groups', '--no-new-privs', '--pdeathsig', 'QUIT'];
  return [...ownIpcNamespace(), 'chroot', root, '/usr/bin/setpriv', ...user, '--', ...command];
}

/** Shows the folder to this command alone. The rest of the machine sees no mount, and nothing has to be unmounted. */
function withFolderAt(mountPoint: string, folder: string, command: readonly string[]): readonly string[] {
  const mount = 'mount --bind "$0" "$1"; shift; exec "$@"';
  return ['unshare', '--mount', 'sh', '-ec', mount, folder, mountPoint, ...command];
}

/** A container may forbid mounts. */
export function canKeepPostgres(): boolean {
  return spawnSync('unshare', ['--mount', 'sh', '-ec', 'mount --bind / /mnt']).status === 0;
}

let ipcPrefix: readonly string[] | undefined;

/** A container may forbid namespaces. A killed server then leaves a segment of a few bytes. */
function ownIpcNamespace(): readonly string[] {
  const command = ['unshare', '--ipc'];
  ipcPrefix ??= spawnSync('unshare', ['--ipc', 'true']).status === 0 ? command : [];
  return ipcPrefix;
}

async function isReady(socketFolder: string): Promise<boolean> {
  return query(socketFolder, 'select 1').then(
    () => true,
    () => false,
  );
}

async function query(socketFolder: string, text: string): Promise<void> {
  const client = new pg.Client({
    host: socketFolder,
    port: POSTGRES_PORT,
    user: 'postgres',
    database: 'postgres',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  // The server may exit while the client disconnects. Errors of the query itself reject its promise.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

/** Returns the folder with the programs of the servers and an empty database. Builds it on first use. */
export function ensureServerRoot(): Promise<string> {
  return buildServerRoot(createTemplate);
}

/** Creates an initialised data folder with the extension. Copying it at each start is faster than initdb. */
async function createTemplate(root: string): Promise<void> {
  const data = `${TEMPLATE}/data`;
  const logFile = join(root, 'srv', 'template.log');
  await runTool(['chown', String(recipe.serverUid), join(root, TEMPLATE)]);
  await runTool(inRoot(root, [`${BIN}/initdb`, `--pgdata=${data}`, ...recipe.initdb]));
  const server = await startPostgres({ root, data, logFile });
  try {
    await query(server.socketFolder, recipe.afterInit);
  } finally {
    await server.stop();
  }
}
