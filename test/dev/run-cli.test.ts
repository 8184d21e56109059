import { execFile } from 'node:child_process';
import { appendFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyCheckout, type CheckoutCopy } from '../support/checkout-copy.ts';

const USED = ['src', 'workers', 'dev', 'package.json', 'package-lock.json', 'tsconfig.json'];

/** Without the services of a test, and with a cache folder in which no `npm start` has announced any. */
describe('npm run baton', () => {
  let checkout: CheckoutCopy;
  let cache: string;
  beforeAll(async () => {
    checkout = await copyCheckout(USED);
    cache = join(checkout.folder, 'cache');
  });
  afterAll(() => checkout.remove());

  function run(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
    const { PATH, HOME } = process.env;
    const options = { cwd: checkout.folder, env: { PATH, HOME, BATON_CACHE_DIR: cache } };
    return new Promise((resolve) => {
      const child = execFile(process.execPath, ['dev/run.mjs', 'baton', ...args], options, (_error, stdout, stderr) => {
        resolve({ status: child.exitCode ?? NaN, stdout, stderr });
      });
    });
  }

  const bundles = async (): Promise<string[]> => {
    const [folder = ''] = await readdir(cache);
    return readdir(join(cache, folder));
  };

  it('says what to run when no services are running', async () => {
    expect(await run('campaign', 'list')).toMatchObject({
      status: 2,
      stderr: 'baton: no services are running: run `npm start` in another terminal, or set MONGODB_URI and REDIS_URL\n',
    });
  });

  it('runs a bundle of the sources as they are now, which commands that start at the same time share', async () => {
    const [version, help] = await Promise.all([run('--version'), run('--help')]);
    expect(version).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string });
    expect(help).toMatchObject({ status: 0, stdout: expect.stringContaining('Exit codes:') as string, stderr: '' });
    const first = await bundles();
    expect(first).toHaveLength(1);

    await appendFile(join(checkout.folder, 'src/cli/main.ts'), "process.stdout.write('changed');\n");
    expect((await run('--version')).stdout).toContain('changed');
    // A command may still be running from the first one.
    const both = await bundles();
    expect(both).toEqual(expect.arrayContaining(first));
    expect(both).toHaveLength(2);
  });
});
