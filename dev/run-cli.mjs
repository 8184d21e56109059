/**
 * Runs the command line for `npm run baton`, on the services of a running `npm start`. It runs a bundle of the sources,
 * because loading hundreds of TypeScript files takes seconds at each command. The bundle is made again after a change.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { constants, homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { whenNpmEnds } from './npm.mjs';

const EXIT_CANNOT_START = 2;
const SIGNAL_EXIT_BASE = 128;
const KEY_LENGTH = 12;
/** How long an old bundle is kept, for commands that are still running from it. */
const KEPT_MS = 24 * 60 * 60 * 1_000;
const SOURCES = ['src', 'workers', 'dev/build', 'package.json'];
/** Commands that need no services. */
const OFFLINE = ['--help', '-h', 'help', '--version', '-V'];
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Ends the process with the exit status of the command line. */
export function runCli(checkout, args) {
  const env = { ...announced(checkout), ...process.env };
  if ((!env.MONGODB_URI || !env.REDIS_URL) && args.length > 0 && !args.some((arg) => OFFLINE.includes(arg))) {
    process.stderr.write(
      'baton: no services are running: run `npm start` in another terminal, or set MONGODB_URI and REDIS_URL\n',
    );
    process.exit(EXIT_CANNOT_START);
  }
  const main = join(bundled(checkout), 'src/cli/main.js');
  const child = spawn(process.execPath, [main, ...args], { env, stdio: 'inherit' });
  // The command decides what a signal means.
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  whenNpmEnds(() => child.kill('SIGHUP'));
  child.on('exit', (code, signal) => process.exit(code ?? SIGNAL_EXIT_BASE + constants.signals[signal]));
}

/** The addresses that `npm start` has announced: see services/announcement.ts. */
function announced(checkout) {
  try {
    const { owner, env } = JSON.parse(readFileSync(inCache(checkout, 'running', '.json'), 'utf8'));
    process.kill(Number.parseInt(owner, 10), 0);
    return env;
  } catch {
    return {};
  }
}

/** A path in the cache folder (see services/unpacked/cache.ts) that belongs to this checkout. */
function inCache(checkout, name, extension = '') {
  const key = createHash('sha256').update(resolve(checkout)).digest('hex').slice(0, KEY_LENGTH);
  const { BATON_CACHE_DIR: own, XDG_CACHE_HOME: shared } = process.env;
  const folder = own ? resolve(own) : join(shared || join(homedir(), '.cache'), 'baton');
  return join(folder, `${name}-${key}${extension}`);
}

/**
 * Returns the folder with the bundle of the present sources. A bundle never changes, because another command may be running
 * from it: each state of the sources has a folder of its own, which gets its name when it is complete.
 */
function bundled(checkout) {
  const all = inCache(checkout, 'cli');
  const folder = join(all, String(Math.max(...SOURCES.map((name) => changedAt(join(checkout, name))))));
  if (existsSync(folder)) return folder;
  mkdirSync(all, { recursive: true });
  const own = mkdtempSync(`${folder}-`);
  make(checkout, own);
  giveName(own, folder);
  removeOld(all);
  return folder;
}

function make(checkout, own) {
  const build = ['--import', 'tsx', 'dev/build/programs.ts', own];
  const result = spawnSync(process.execPath, build, { cwd: checkout, encoding: 'utf8' });
  if (result.status !== 0) {
    rmSync(own, { recursive: true });
    process.stderr.write(`baton: the sources cannot be bundled\n${result.stdout}${result.stderr}`);
    process.exit(EXIT_CANNOT_START);
  }
}

/** Another command may have made the same bundle meanwhile. */
function giveName(own, folder) {
  try {
    renameSync(own, folder);
  } catch (error) {
    rmSync(own, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
}

/** Removes bundles of earlier sources, and what a killed command has left. */
function removeOld(all) {
  for (const name of readdirSync(all)) {
    const path = join(all, name);
    const changedMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
    if (changedMs < Date.now() - KEPT_MS) rmSync(path, { recursive: true, force: true });
  }
}

/** Returns when a file, or the newest file or folder in a folder, was changed. */
function changedAt(path) {
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(stats.mtimeMs, ...readdirSync(path).map((name) => changedAt(join(path, name))));
}
