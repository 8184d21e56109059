import { createServer } from 'node:net';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { chooseMongo } from '../../../dev/services/choose.ts';
import { inspectMachine, installedMongodVersion } from '../../../dev/services/machine.ts';
import { startMongod } from '../../../dev/services/mongod.ts';
import { askVersion } from '../../../dev/services/processes.ts';
import { startServices } from '../../../dev/services/services.ts';

const FAKE = fileURLToPath(new URL('support/fake-mongod.ts', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'baton-test-mongod-'));
  vi.stubEnv('PATH', `${folder}:${process.env['PATH'] ?? ''}`);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** Puts a program on the PATH that answers `--version` and otherwise runs `script`. */
function install(name: string, script: string, version = 'db version v8.0.4'): string {
  const file = join(folder, name);
  const text = `#!/bin/sh\ncase "$1" in --version|info|compose) echo '${version}'; exit 0;; esac\n${script}\n`;
  writeFileSync(file, text, { mode: 0o755 });
  return file;
}

const fakeMongod = (): string => install('mongod', `exec '${process.execPath}' --import tsx '${FAKE}' "$@"`);

test('a mongod becomes the only member of its replica set, and its folder is removed at the end', async () => {
  const mongod = await startMongod(fakeMongod());
  const set: unknown = JSON.parse(readFileSync(join(mongod.dir, 'data', 'local.json'), 'utf8'));
  expect(set).toEqual({ _id: 'baton', members: [{ _id: 0, host: `127.0.0.1:${mongod.port}` }] });
  expect(mongod.uri).toBe(`mongodb://127.0.0.1:${mongod.port}/?directConnection=true`);
  await mongod.stop();
  expect(existsSync(mongod.dir)).toBe(false);
});

test('kept data start again on the port that their replica set knows', async () => {
  const kept = join(folder, 'kept');
  const first = await startMongod(fakeMongod(), kept);
  await first.stop();
  const second = await startMongod('mongod', kept);
  await second.stop();
  expect(second.port).toBe(first.port);

  const other = createServer().listen(first.port, '127.0.0.1');
  await once(other, 'listening');
  await expect(startMongod('mongod', kept)).rejects.toThrow(/needs port \d+, which another program uses: stop that/);
  other.close();
});

test('a mongod that does not start is reported with the end of its log and with what to do', async () => {
  vi.stubEnv('MONGODB_URI', '');
  vi.stubEnv('REDIS_URL', process.env['REDIS_URL'] ?? '');
  install('docker', '', 'no engine');
  writeFileSync(join(folder, 'docker'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  install('mongod', `echo '{"s":"F","msg":"Illegal instruction"}'; exit 132`);
  await expect(startServices(join(folder, 'kept'))).rejects.toThrow(
    /^the mongod on the PATH did not start \(repair it, or take it from the PATH\).*Illegal instruction.*leave --keep out$/s,
  );
});

test('the version of the mongod on the PATH is read from what it prints', () => {
  install('mongod', '', 'db version v7.0.14');
  expect(installedMongodVersion()).toBe('7.0.14');
  install('mongod', '', 'mongod: cannot execute');
  expect(installedMongodVersion()).toBeNull();
});

test('a program that hangs or cannot be run is broken, and another server is chosen', () => {
  vi.stubEnv('MONGODB_URI', '');
  vi.stubEnv('REDIS_URL', 'redis://127.0.0.1');
  writeFileSync(join(folder, 'docker'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  writeFileSync(join(folder, 'mongod'), '#!/bin/sh\nsleep 60\n', { mode: 0o755 });
  expect(askVersion('mongod', 200)).toBe('broken');
  writeFileSync(join(folder, 'mongod'), '\u007fELF', { mode: 0o755 });
  const machine = inspectMachine(process.env, undefined);
  expect(machine.mongodVersion).toBeNull();
  expect(chooseMongo(machine).because).toContain('the mongod on the PATH does not answer `mongod --version`');
});
