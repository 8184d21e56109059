import { spawnSync } from 'node:child_process';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { spawnTied, type Tied } from './children.ts';
import { keepServer, type KeptServer } from './kept-server.ts';
import { LOOPBACK, onFreePort } from './ports.ts';
import { recipe } from './unpacked/recipe.ts';

export const BIN = '/usr/lib/postgresql/18/bin';

/** Production's promises are kept (fsync, synchronous_commit, full_page_writes are on): benchmarks must not cheat. */
const SETTINGS = {
  listen_addresses: LOOPBACK,
  unix_socket_directories: '',
  max_connections: '200',
  shared_preload_libraries: recipe.preload,
  'cron.database_name': 'postgres',
  // Indexes that give their order: without it a sorted page reads and sorts its whole range.
  'documentdb.alternate_index_handler_name': 'extended_rum',
  shared_buffers: '512MB',
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
  // A log that has run for a while takes its old segments again; a new one would keep every commit waiting while its next
  // is filled with zeros. What is written is as safe without.
  wal_init_zero: 'off',
  fsync: 'on',
  synchronous_commit: 'on',
  autovacuum: 'on',
  // The compiler's library is not unpacked.
  jit: 'off',
  // Inside the data folder, so that it goes with it: shared memory segments outlive a killed server.
  dynamic_shared_memory_type: 'mmap',
  log_checkpoints: 'off',
} as const;

/** First "fast" (ends sessions, writes a checkpoint), then "immediate" (crash and recover at the next start). */
const STOP_LADDER = [
  { signal: 'SIGINT', waitMs: 5_000 },
  { signal: 'SIGQUIT', waitMs: 3_000 },
] as const;

const CONNECT_TIMEOUT_MS = 1_000;
/** A minimal environment: the servers must not see, and PostgreSQL would take as settings, what ours holds. */
const SERVER_ENV = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', TZ: 'UTC' };

export interface PostgresOptions {
  readonly root: string;
  /** The data folder as seen inside the root. */
  readonly data: string;
  /** Outside the data folder. */
  readonly logFile: string;
  readonly port?: number;
}

export async function startPostgres(options: PostgresOptions): Promise<KeptServer> {
  const { root, data, logFile } = options;
  const start = (port: number): Promise<KeptServer> => {
    writeFileSync(join(root, data, 'postgresql.conf'), configuration(port));
    return keepServer({
      name: 'PostgreSQL',
      port,
      logFile,
      stopLadder: STOP_LADDER,
      spawn: () => spawnPostgres(root, data, logFile),
      answers: () => answersFrom(port, data),
    });
  };
  return options.port === undefined ? onFreePort(start) : start(options.port);
}

function configuration(port: number): string {
  const lines = Object.entries({ ...SETTINGS, port: String(port) }).map(([name, value]) => `${name} = '${value}'`);
  return `${lines.join('\n')}\n`;
}

function spawnPostgres(root: string, data: string, logFile: string): Tied {
  const log = openSync(logFile, 'a');
  try {
    // The fourth stream is never written to: it closes when the last server process is gone, orphans included.
    return spawnTied(inRoot(root, [`${BIN}/postgres`, '-D', data]), {
      stdio: ['ignore', log, log, 'pipe'],
      env: SERVER_ENV,
    });
  } finally {
    closeSync(log);
  }
}

/**
 * The command inside the root, as its own user, in a namespace of its own for System V memory (PostgreSQL marks its data
 * folder with a segment, which would outlive a killed server) and dying with its parent: SIGQUIT, so that PostgreSQL
 * takes its helpers along. The last change of user comes before, since it would clear that signal.
 */
export function inRoot(root: string, command: readonly string[]): readonly string[] {
  const uid = String(recipe.serverUid);
  const user = ['--reuid', uid, '--regid', uid, '--clear-groups', '--no-new-privs', '--pdeathsig', 'QUIT'];
  return [...ownIpcNamespace(), 'chroot', root, '/usr/bin/setpriv', ...user, '--', ...command];
}

let ipcPrefix: readonly string[] | undefined;

/** Containers may forbid it; then at worst a killed server leaves a segment of some bytes. */
function ownIpcNamespace(): readonly string[] {
  const command = ['unshare', '--ipc'];
  ipcPrefix ??= spawnSync('unshare', ['--ipc', 'true']).status === 0 ? command : [];
  return ipcPrefix;
}

/** Whether a server answers, and it is ours: another may have taken the port meanwhile. */
async function answersFrom(port: number, data: string): Promise<boolean> {
  try {
    const rows = await query(port, 'show data_directory');
    return rows[0]?.['data_directory'] === data;
  } catch {
    return false;
  }
}

export async function query(port: number, text: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({
    host: LOOPBACK,
    port,
    user: 'postgres',
    database: 'postgres',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  // A server that goes away while we hang up is no news: the query's own promise tells what matters.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}
