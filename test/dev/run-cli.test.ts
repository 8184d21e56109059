import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

/** Without the services of a test, and with a cache folder in which no `npm start` has announced any. */
describe('npm run baton', () => {
  const folder = mkdtempSync(join(tmpdir(), 'baton-run-cli-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  function run(...args: string[]) {
    const { PATH, HOME } = process.env;
    const env = { PATH, HOME, BATON_CACHE_DIR: folder };
    return spawnSync(process.execPath, ['dev/run.mjs', 'baton', ...args], { env, encoding: 'utf8' });
  }

  it('says what to run when no services are running', () => {
    expect(run('campaign', 'list')).toMatchObject({
      status: 2,
      stderr: 'baton: no services are running: run `npm start` in another terminal, or set MONGODB_URI and REDIS_URL\n',
    });
  });

  it('runs a bundle of the sources as they are now, with the exit status of the command', () => {
    expect(run('--version')).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string });
    expect(run('--help').stdout).toContain('Exit codes:');
  });
});
