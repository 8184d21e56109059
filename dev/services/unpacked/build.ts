import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WHAT_HELPS } from '../choose.ts';
import { say, SetupError } from '../say.ts';
import { findMirror, readSourceFiles } from './apt-sources.ts';
import { cacheFolder, isRootBuilt, rootFolder, RUNS, TEMPLATE } from './cache.ts';
import { withLock } from './lock.ts';
import { downloadPackages } from './packages.ts';
import { recipe } from './recipe.ts';
import { runTool } from './run-tool.ts';

const WRITABLE_BY_ALL = 0o666;
const SHARED_FOLDER = 0o1777;

/** The folder with the servers' programs, built on first need. Two commands at once: one builds, the other waits. */
export async function ensureRoot(makeTemplate: (root: string) => Promise<void>): Promise<string> {
  if (isRootBuilt()) return rootFolder();
  await withLock(join(cacheFolder(), 'build.lock'), async () => {
    if (isRootBuilt()) return;
    await buildAside(rootFolder(), (folder) => fillRoot(folder, makeTemplate)).catch((error: unknown) => {
      throw error instanceof SetupError ? new SetupError(`${error.message}\n${WHAT_HELPS}`) : error;
    });
  });
  return rootFolder();
}

/**
 * Builds under another name and renames at the end: what carries the real name is complete, and what an interrupted
 * build left is thrown away by the next one. The caller holds the lock.
 */
export async function buildAside(target: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const aside = `${target}.building`;
  rmSync(aside, { recursive: true, force: true });
  mkdirSync(aside, { recursive: true });
  await fill(aside);
  renameSync(aside, target);
}

async function fillRoot(root: string, makeTemplate: (root: string) => Promise<void>): Promise<void> {
  const startedAt = Date.now();
  say(`first start on this machine: fetching Redis and PostgreSQL with DocumentDB into ${rootFolder()}…`);
  const packages = join(root, 'tmp', 'packages');
  mkdirSync(packages, { recursive: true });
  await downloadPackages(ownMirror(), packages);
  await unpack(packages, root);
  rmSync(packages, { recursive: true });
  await finish(root);
  await makeTemplate(root);
  say(`…done in ${Math.round((Date.now() - startedAt) / 1000)} s; later starts take a second or two.`);
}

function ownMirror(): string {
  const codename = /^VERSION_CODENAME=(\S+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'sid';
  const mirror = findMirror(readSourceFiles('/etc/apt'), codename);
  if (mirror !== undefined) return mirror;
  throw new SetupError(
    `expected a Debian mirror for "${codename}" in /etc/apt/sources.list or sources.list.d, found none.`,
  );
}

/** All at once, since each package is one decompressing process; tar leaves out what is not wanted. */
async function unpack(packages: string, root: string): Promise<void> {
  for (const folder of ['usr/bin', 'usr/sbin', 'usr/lib', 'usr/lib64'])
    mkdirSync(join(root, folder), { recursive: true });
  for (const [to, link] of recipe.links.filter(([, path]) => !path.includes('/'))) symlinkSync(to, join(root, link));
  const excludes = recipe.leftOutPaths.map((path) => `--exclude='${path}'`).join(' ');
  const one = `dpkg-deb --fsys-tarfile "$1" | tar --extract --no-same-owner --directory "$0" ${excludes}`;
  const all = `printf '%s\\0' *.deb | xargs --null --max-procs="$(nproc)" --max-args=1 sh -ec "$0" "$1"`;
  await runTool(['sh', '-ec', all, one, root], { cwd: packages });
}

/** What the packages' set-up scripts would have done, as far as it is needed here. */
async function finish(root: string): Promise<void> {
  for (const [to, link] of recipe.links.filter(([, path]) => path.includes('/'))) symlinkSync(to, join(root, link));
  for (const folder of ['dev', 'etc', TEMPLATE, RUNS]) mkdirSync(join(root, folder), { recursive: true });
  chmodSync(join(root, 'tmp'), SHARED_FOLDER);
  // Where device nodes are not allowed an ordinary file must do: initdb only ever throws output away there.
  await runTool(['mknod', '-m', '666', join(root, 'dev/null'), 'c', '1', '3']).catch(() => {
    writeFileSync(join(root, 'dev/null'), '');
    chmodSync(join(root, 'dev/null'), WRITABLE_BY_ALL);
  });
  const uid = recipe.serverUid;
  writeFileSync(join(root, 'etc/passwd'), `postgres:x:${uid}:${uid}::/:/bin/sh\n`);
  writeFileSync(join(root, 'etc/group'), `postgres:x:${uid}:\n`);
  writeFileSync(join(root, 'etc/hosts'), '127.0.0.1 localhost\n');
}
