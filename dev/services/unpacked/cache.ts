import { homedir } from 'node:os';
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { recipeKey } from './recipe.ts';

/** Outside the checkout, so that every clone and every branch shares one build. */
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

/** A folder of this name exists only when it is complete: it is built under another name and renamed. */
export function rootFolder(): string {
  return join(cacheFolder(), `documentdb-${recipeKey()}`);
}

export function isRootBuilt(): boolean {
  return existsSync(rootFolder());
}

/** Inside the root, where the servers see the same folders without the part before. */
export const TEMPLATE = '/srv/template';
export const RUNS = '/srv/runs';
