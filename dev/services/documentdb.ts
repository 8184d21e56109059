import { once } from 'node:events';
import { chownSync, closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTemporaryFolder, type TemporaryFolder } from './cleanup.ts';
import type { ManagedServer } from './managed-server.ts';
import { lastLines, SetupError } from './messages.ts';
import { canKeepPostgres, ensureServerRoot, startPostgres, type PostgresServer } from './postgres.ts';
import { killedWithParent, runTool, spawnChild, stopChild, type Child } from './processes.ts';
import { buildThenRename } from './unpacked/build.ts';
import { RUNS, TEMPLATE } from './unpacked/cache.ts';
import { recipe } from './unpacked/recipe.ts';

/** PostgreSQL with the DocumentDB extension, and in front of it the server of dev/documentdb-server. */
export interface DocumentDb extends ManagedServer {
  /** The address for MongoDB drivers. `pid`, `port`, `kill` and `restart` concern PostgreSQL. */
  readonly uri: string;
  /** The folder of PostgreSQL's socket and its port, as folder:port. */
  readonly postgres: string;
  /** The folder with data and logs. */
  readonly dir: string;
  /** Kills only the server of dev/documentdb-server with SIGKILL and starts it again on the same port. */
  restartWireServer(): Promise<void>;
}

interface WireServer {
  readonly uri: string;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const WIRE_SERVER_MAIN = new URL('../documentdb-server/main.ts', import.meta.url).pathname;
const WIRE_SERVER_READY_TIMEOUT_MS = 20_000;
const WIRE_SERVER_STOP_SEQUENCE = [{ signal: 'SIGTERM', waitMs: 2_000 }] as const;
const ANY_PORT = 0;

/** `keptIn` is the folder of the data. Default: a temporary folder that `stop` removes. */
export async function startDocumentDb(keptIn?: string): Promise<DocumentDb> {
  const root = await ensureServerRoot();
  const folder = createTemporaryFolder(join(root, RUNS));
  try {
    chownSync(folder.path, recipe.serverUid, recipe.serverUid);
    const data = join(folder.path, 'data');
    if (keptIn === undefined) await copyTemplate(root, data);
    else await prepareKept(root, keptIn, data);
    const postgres = await startPostgres({
      root,
      data: data.slice(root.length),
      keptIn,
      logFile: join(folder.path, 'postgres.log'),
    });
    const wireServer = await startWireServer(postgres.socketFolder, join(folder.path, 'server.log')).catch(
      async (error: unknown) => {
        await postgres.stop();
        throw error;
      },
    );
    return combine(postgres, wireServer, folder);
  } catch (error) {
    folder.remove();
    throw error;
  }
}

function combine(postgres: PostgresServer, wireServer: WireServer, folder: TemporaryFolder): DocumentDb {
  return {
    uri: wireServer.uri,
    postgres: `${postgres.socketFolder}:${postgres.port}`,
    dir: folder.path,
    port: postgres.port,
    get pid() {
      return postgres.pid;
    },
    kill: (signal) => postgres.kill(signal),
    restart: () => postgres.restart(),
    restartWireServer: () => wireServer.restart(),
    async stop() {
      await wireServer.stop();
      await postgres.stop();
      folder.remove();
    },
  };
}

async function copyTemplate(root: string, target: string): Promise<void> {
  await runTool(['cp', '--archive', '--reflink=auto', '--no-target-directory', join(root, TEMPLATE, 'data'), target]);
}

/** At the first start, the kept folder becomes a copy of the template. */
async function prepareKept(root: string, keptIn: string, mountPoint: string): Promise<void> {
  if (!canKeepPostgres()) {
    throw new SetupError(
      'this machine forbids mounts, so --keep cannot keep the private database: set MONGODB_URI, or use Docker',
    );
  }
  if (!existsSync(keptIn)) await buildThenRename(keptIn, (folder) => copyTemplate(root, folder));
  mkdirSync(mountPoint);
}

/** Runs the server in a process of its own, so that it shares no event loop with the code that a benchmark measures. */
async function startWireServer(socketFolder: string, logFile: string): Promise<WireServer> {
  let server = await spawnWireServer(socketFolder, ANY_PORT, logFile);
  const { uri } = server;
  return {
    uri,
    async restart() {
      await stopChild(server.child, []);
      server = await spawnWireServer(socketFolder, Number(new URL(uri).port), logFile);
    },
    stop: () => stopChild(server.child, WIRE_SERVER_STOP_SEQUENCE),
  };
}

async function spawnWireServer(
  socketFolder: string,
  port: number,
  logFile: string,
): Promise<{ child: Child; uri: string }> {
  const log = openSync(logFile, 'a');
  const command = [process.execPath, '--import', 'tsx', WIRE_SERVER_MAIN, socketFolder, String(port)];
  const child = spawnChild(killedWithParent(command), { stdio: ['ignore', log, log, 'ipc'] });
  closeSync(log);
  const ready = once(child.process, 'message', { signal: AbortSignal.timeout(WIRE_SERVER_READY_TIMEOUT_MS) });
  const message = await Promise.race([ready, child.closed]).catch(() => undefined);
  if (message !== undefined) return { child, uri: (message[0] as { uri: string }).uri };
  await stopChild(child, []);
  const endOfLog = lastLines(readFileSync(logFile, 'utf8'));
  throw new Error(`the DocumentDB server did not start. The end of its log:\n${endOfLog}`);
}
