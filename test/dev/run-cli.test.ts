import { execFile } from 'node:child_process';
import { appendFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyCheckout, type CheckoutCopy } from '../support/checkout-copy.ts';

const USED = ['src', 'workers', 'dev', 'package.json', 'package-lock.json', 'tsconfig.json'];

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Without the services of a test, and with a cache folder in which no `npm start` has announced any. */
describe('npm run baton', () => {
  let checkout: CheckoutCopy;
  let cache: string;
  beforeAll(async () => {
    checkout = await copyCheckout(USED);
    cache = join(checkout.folder, 'cache');
  });
  afterAll(() => checkout.remove());

  function run(...args: string[]): Promise<Ended> {
    return runIn({}, 'baton', ...args);
  }

  function runIn(env: NodeJS.ProcessEnv, ...args: string[]): Promise<Ended> {
    const { PATH, HOME } = process.env;
    const options = { cwd: checkout.folder, env: { PATH, HOME, BATON_CACHE_DIR: cache, ...env } };
    return new Promise((resolve) => {
      const child = execFile(process.execPath, ['dev/run.mjs', ...args], options, (_error, stdout, stderr) => {
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

  it('refuses a command from which npm has taken options, because --preview would be lost without a word', async () => {
    // As npm sets them for `npm run -s baton undo x --preview --no-wait`.
    const taken = { npm_config_preview: 'true', npm_config_wait: '', npm_config_yes: '', npm_config_cache: '/x' };
    const [baton, start] = await Promise.all([
      runIn(taken, 'baton', 'undo', 'x'),
      runIn({ npm_config_keep: '/x' }, 'start'),
    ]);
    expect(baton).toMatchObject({ status: 2, stdout: '' });
    expect(baton.stderr).toMatch(
      /^baton: npm took .*--preview.* for itself, because .*`npm run -s baton -- COMMAND …`\n$/,
    );
    expect(baton.stderr).not.toMatch(/--yes|--cache/);
    expect(start).toMatchObject({
      status: 2,
      stderr: 'baton: npm took --keep for itself, because it did not follow `--`: write `npm start -- --keep DIR`\n',
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
