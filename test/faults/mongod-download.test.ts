import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { downloadedMongod, rememberedDownloadProblem } from '../../dev/services/mongod-download.ts';

const ARCHIVE = 'mongodb-linux-x86_64-debian12-8.2.6.tgz';
/** The library takes a smaller program for a download that was cut off. */
const PROGRAM_BYTES_MIN = 1024 * 1024;

let folder: string;
let server: Server;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'baton-test-download-'));
  vi.stubEnv('BATON_CACHE_DIR', join(folder, 'cache'));
  vi.stubEnv('MONGOMS_DOWNLOAD_DIR', join(folder, 'programs'));
  vi.stubEnv('MONGOMS_USE_HTTP', '1');
});
afterEach(() => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

async function serve(listener: RequestListener): Promise<void> {
  server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  vi.stubEnv('MONGOMS_DOWNLOAD_URL', `http://127.0.0.1:${port}/${ARCHIVE}`);
}

function pack(): Buffer {
  const bin = join(folder, 'mongodb', 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'mongod'), `#!/bin/sh\necho downloaded\nexit\n${'#'.repeat(PROGRAM_BYTES_MIN)}`);
  chmodSync(join(bin, 'mongod'), 0o755);
  execFileSync('tar', ['--create', '--gzip', '--file', ARCHIVE, 'mongodb'], { cwd: folder });
  return readFileSync(join(folder, ARCHIVE));
}

test('a mongod is downloaded once, and found at the next start', async () => {
  const archive = pack();
  const requests: string[] = [];
  await serve(({ url = '' }, response) => {
    requests.push(url);
    const body = url.endsWith('.md5') ? createHash('md5').update(archive).digest('hex') : archive;
    response.writeHead(200, { 'content-length': body.length }).end(body);
  });
  const program = await downloadedMongod();
  expect(execFileSync(program, { encoding: 'utf8' })).toBe('downloaded\n');
  expect(requests).toEqual([`/${ARCHIVE}`, `/${ARCHIVE}.md5`]);
  expect(await downloadedMongod()).toBe(program);
  expect(requests).toHaveLength(2);
});

test('a download that does not answer ends within seconds and is remembered for a day', async () => {
  await serve(() => undefined);
  await expect(downloadedMongod()).rejects.toThrow('the download of MongoDB did not answer');
  expect(rememberedDownloadProblem()).toMatch(
    /^the download of MongoDB did not answer \(tried again after a day, or when .*mongod-download.json is deleted\)$/,
  );
  vi.useFakeTimers({ now: Date.now() + 24 * 60 * 60 * 1000, toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  expect(rememberedDownloadProblem()).toBeUndefined();
});

test('a download that is refused says why and leaves no program', async () => {
  await serve((_request, response) => response.writeHead(403).end());
  await expect(downloadedMongod()).rejects.toThrow(/^MongoDB cannot be downloaded: Status Code is 403/);
  expect(existsSync(join(folder, 'programs', 'mongod'))).toBe(false);
});
