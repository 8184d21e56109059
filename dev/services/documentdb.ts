import { chownSync } from 'node:fs';
import { join } from 'node:path';
import type { KeptServer } from './kept-server.ts';
import { LOOPBACK } from './ports.ts';
import { startPostgres } from './postgres.ts';
import { ensurePrograms } from './programs.ts';
import { RUNS, TEMPLATE } from './unpacked/cache.ts';
import { recipe } from './unpacked/recipe.ts';
import { runTool } from './unpacked/run-tool.ts';
import { makeScratch, type Scratch } from './scratch.ts';
import { startWire, type WireProcess } from './wire.ts';

/** PostgreSQL with the DocumentDB extension behind a MongoDB wire front. `kill` and `restart` mean PostgreSQL. */
export interface DocumentDb extends KeptServer {
  /** What a MongoDB driver connects to. */
  readonly uri: string;
  /** PostgreSQL itself, as host:port. */
  readonly postgres: string;
  /** Its data and logs. */
  readonly dir: string;
  /** The front alone, with SIGKILL and at the same address. */
  restartWire(): Promise<void>;
}

export async function startDocumentDb(options: { readonly port?: number } = {}): Promise<DocumentDb> {
  const root = await ensurePrograms();
  const scratch = makeScratch(join(root, RUNS));
  try {
    const data = await copyTemplate(root, scratch.path);
    const postgres = await startPostgres({ root, data, logFile: join(scratch.path, 'postgres.log'), ...options });
    const wire = await startWire(postgres.port, join(scratch.path, 'wire.log')).catch(async (error: unknown) => {
      await postgres.stop();
      throw error;
    });
    return asDocumentDb(postgres, wire, scratch);
  } catch (error) {
    scratch.remove();
    throw error;
  }
}

function asDocumentDb(postgres: KeptServer, wire: WireProcess, scratch: Scratch): DocumentDb {
  return {
    uri: wire.uri,
    postgres: `${LOOPBACK}:${postgres.port}`,
    dir: scratch.path,
    port: postgres.port,
    get pid() {
      return postgres.pid;
    },
    kill: (signal) => postgres.kill(signal),
    restart: () => postgres.restart(),
    restartWire: () => wire.restart(),
    async stop() {
      await wire.stop();
      await postgres.stop();
      scratch.remove();
    },
  };
}

/** The data folder's path as seen inside the root. Blocks are shared with the template where the file system can. */
async function copyTemplate(root: string, run: string): Promise<string> {
  const { serverUid } = recipe;
  chownSync(run, serverUid, serverUid);
  await runTool(['cp', '--archive', '--reflink=auto', join(root, TEMPLATE, 'data'), join(run, 'data')]);
  return join(run.slice(root.length), 'data');
}
