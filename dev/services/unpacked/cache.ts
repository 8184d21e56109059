import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { takeLock } from '../locks.ts';
import { log } from '../messages.ts';
import { recipeKey } from './recipe.ts';

/** Paths as the servers see them, inside the root. */
export const TEMPLATE = '/srv/template';
export const RUNS = '/srv/runs';

const REPORT_WAITING_AFTER_MS = 500;

/** A folder outside the checkout, so that all clones and branches share one build. */
export function cacheFolder(): string {
  const own = process.env['BATON_CACHE_DIR'];
  const shared = process.env['XDG_CACHE_HOME'];
  const folder = isSet(own) ? resolve(own) : join(isSet(shared) ? shared : join(homedir(), '.cache'), 'baton');
  mkdirSync(folder, { recursive: true });
  return folder;
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}

export function serverRoot(): string {
  return join(cacheFolder(), `documentdb-${recipeKey()}`);
}

/** The folder gets its name only when it is complete. */
export function isServerRootBuilt(): boolean {
  return existsSync(serverRoot());
}

/** Runs `work` while no other process has locked `file`. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const waiting = setTimeout(() => {
    log('waiting for another command, which is building the private servers…');
  }, REPORT_WAITING_AFTER_MS);
  const lock = await takeLock(file, { waits: true }).finally(() => {
    clearTimeout(waiting);
  });
  try {
    return await work();
  } finally {
    await lock?.release();
  }
}
