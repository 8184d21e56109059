import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { log, SERVICES_HELP, SetupError } from '../messages.ts';
import { runTool } from '../processes.ts';
import { findMirror, readSourceFiles } from './apt-sources.ts';
import { cacheFolder, isServerRootBuilt, RUNS, serverRoot, TEMPLATE, withLock } from './cache.ts';
import { downloadPackages } from './packages.ts';
import { recipe } from './recipe.ts';

const WRITABLE_BY_ALL = 0o666;
const SHARED_FOLDER = 0o1777;

type CreateTemplate = (root: string) => Promise<void>;

/** Builds the folder with the servers' programs, unless it exists. A second command waits for the first one's build. */
export async function buildServerRoot(createTemplate: CreateTemplate): Promise<string> {
  if (isServerRootBuilt()) return serverRoot();
  await withLock(join(cacheFolder(), 'build.lock'), async () => {
    if (isServerRootBuilt()) return;
    await buildThenRename(serverRoot(), (folder) => fillRoot(folder, createTemplate)).catch((error: unknown) => {
      throw error instanceof SetupError ? new SetupError(`${error.message}\n${SERVICES_HELP}`) : error;
    });
  });
  return serverRoot();
}

/**
 * Builds in a temporary folder and renames it at the end, so that a folder with the final name is always complete. Removes
 * the remains of an interrupted build. The caller must own the lock.
 */
export async function buildThenRename(target: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const temporary = `${target}.building`;
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true });
  await fill(temporary);
  renameSync(temporary, target);
}

async function fillRoot(root: string, createTemplate: CreateTemplate): Promise<void> {
  const startedAt = Date.now();
  log(`first start on this machine: downloading Redis and PostgreSQL with DocumentDB into ${serverRoot()}…`);
  const packages = join(root, 'tmp', 'packages');
  mkdirSync(packages, { recursive: true });
  await downloadPackages(debianMirror(), packages);
  await unpack(packages, root);
  rmSync(packages, { recursive: true });
  await setUp(root);
  await createTemplate(root);
  log(`finished in ${Math.round((Date.now() - startedAt) / 1000)} s; later starts take about two seconds`);
}

function debianMirror(): string {
  const codename = /^VERSION_CODENAME=(\S+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'sid';
  const mirror = findMirror(readSourceFiles('/etc/apt'), codename);
  if (mirror !== undefined) return mirror;
  throw new SetupError(`no Debian mirror for "${codename}" in /etc/apt/sources.list or /etc/apt/sources.list.d`);
}

/** Unpacks the packages in parallel, because decompression is the slow part. */
async function unpack(packages: string, root: string): Promise<void> {
  for (const folder of ['usr/bin', 'usr/sbin', 'usr/lib', 'usr/lib64'])
    mkdirSync(join(root, folder), { recursive: true });
  for (const [to, link] of recipe.links.filter(([, path]) => !path.includes('/'))) symlinkSync(to, join(root, link));
  const excludes = recipe.excludedPaths.map((path) => `--exclude='${path}'`).join(' ');
  const unpackOne = `dpkg-deb --fsys-tarfile "$1" | tar --extract --no-same-owner --directory "$0" ${excludes}`;
  const unpackAll = `printf '%s\\0' *.deb | xargs --null --max-procs="$(nproc)" --max-args=1 sh -ec "$0" "$1"`;
  await runTool(['sh', '-ec', unpackAll, unpackOne, root], { cwd: packages });
}

/** Replaces the set-up scripts of the packages. */
async function setUp(root: string): Promise<void> {
  for (const [to, link] of recipe.links.filter(([, path]) => path.includes('/'))) symlinkSync(to, join(root, link));
  for (const folder of ['dev', 'etc', TEMPLATE, RUNS]) mkdirSync(join(root, folder), { recursive: true });
  chmodSync(join(root, 'tmp'), SHARED_FOLDER);
  // Some containers forbid device nodes. An ordinary file is enough, because initdb only writes to it.
  await runTool(['mknod', '-m', '666', join(root, 'dev/null'), 'c', '1', '3']).catch(() => {
    writeFileSync(join(root, 'dev/null'), '');
    chmodSync(join(root, 'dev/null'), WRITABLE_BY_ALL);
  });
  const uid = recipe.serverUid;
  writeFileSync(join(root, 'etc/passwd'), `postgres:x:${uid}:${uid}::/:/bin/sh\n`);
  writeFileSync(join(root, 'etc/group'), `postgres:x:${uid}:\n`);
  writeFileSync(join(root, 'etc/hosts'), '127.0.0.1 localhost\n');
}
