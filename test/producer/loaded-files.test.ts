import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);

const ROOT = new URL('../../', import.meta.url);

/** More files would mean that the package loads code that only workers need. */
const FILES_MAX = 40;

/** Prints the address of each ES module that is loaded. Node runs it in a thread of its own. */
const HOOKS = `
  import { writeSync } from 'node:fs';
  export async function load(url, context, next) {
    writeSync(1, url + '\\n');
    return next(url, context);
  }`;

/** Imports the package and prints all modules that were loaded. CommonJS modules are in the cache of `require`. */
const SCRIPT = `
  import { createRequire, register } from 'node:module';
  register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(HOOKS)}));
  await import('./src/index.ts');
  for (const path of Object.keys(createRequire(import.meta.url).cache)) console.log(path);`;

describe('an app that imports the package', () => {
  it('loads the producer and the Redis client, but no database driver and no code of the workers', async () => {
    const args = ['--import', 'tsx', '--input-type=module', '--eval', SCRIPT];
    const { stdout } = await run(process.execPath, args, { cwd: ROOT });
    const loaded = [...new Set(stdout.split('\n').map((line) => line.replace(/\?.*$/, '')))];
    const src = new URL('src/', ROOT).href;
    const files = loaded.filter((url) => url.startsWith(src)).map((url) => url.slice(src.length));
    expect(files).toContain('producer/producer.ts');
    expect(loaded.some((path) => path.includes('node_modules/ioredis/'))).toBe(true);
    expect(loaded.filter((path) => /node_modules\/(mongoose|mongodb)\//.test(path))).toEqual([]);
    expect(files.filter((file) => file.endsWith('-store.ts') || file.startsWith('mongo/'))).toEqual([]);
    expect(files.length).toBeLessThanOrEqual(FILES_MAX);
  });
});
