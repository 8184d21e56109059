/**
 * Runs every npm command: `node dev/run.mjs test …`. This file has no dependencies, because it must work before `npm ci`.
 * It installs missing packages, starts the supervisor (dev/services/main.ts) in a process group of its own, forwards
 * signals, and cleans up if the supervisor crashes or is killed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { refusalOfTaken, whenNpmEnds } from './npm.mjs';
import { runCli } from './run-cli.mjs';

const NODE_VERSION_MIN = [20, 19];
const EXIT_CANNOT_START = 2;
const SIGNAL_EXIT_BASE = 128;
/** Ctrl-C arrives twice, from the terminal and from npm. The second signal within this time is ignored. */
const DUPLICATE_SIGNAL_MS = 300;
/** A PostgreSQL that is being killed may still write into the folder. */
const REMOVE_RETRIES_MAX = 20;
const REMOVE_RETRY_DELAY_MS = 100;
const FORWARDED_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const INSTALL_OPTIONS = ['--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];

const checkout = fileURLToPath(new URL('..', import.meta.url));

const log = (line) => process.stderr.write(`baton: ${line}\n`);

function exitWithError(line) {
  log(line);
  process.exit(EXIT_CANNOT_START);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [majorMin, minorMin] = NODE_VERSION_MIN;
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return;
  const current = process.versions.node;
  exitWithError(`Baton needs Node ${majorMin}.${minorMin} or newer; this is Node ${current}. See https://nodejs.org/.`);
}

function install() {
  if (isInstalled()) return;
  log('installing the packages of package-lock.json (npm ci)…');
  let result = npm('ci', ...INSTALL_OPTIONS);
  if (isLockFileRefused(result)) {
    // Versions of npm disagree on which packages of other platforms a lock file must list.
    log('npm ci considers package-lock.json incomplete; using npm install, which does not change the file…');
    result = npm('install', '--no-save', ...INSTALL_OPTIONS);
  }
  if (result.status === 0) return;
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}\n`);
  exitWithError('npm could not install the packages; see its output above');
}

/** Compares the lock file with the record of installed packages, which npm writes at the end of an installation. */
function isInstalled() {
  try {
    const locked = readPackages('package-lock.json');
    const installed = readPackages('node_modules/.package-lock.json');
    return Object.entries(locked).every(([path, entry]) => {
      if (path === '') return true;
      const isOptional = entry.optional || entry.devOptional;
      return installed[path] === undefined ? isOptional : installed[path].version === entry.version;
    });
  } catch {
    return false;
  }
}

const readPackages = (file) => JSON.parse(readFileSync(`${checkout}${file}`, 'utf8')).packages;

const isLockFileRefused = (result) => result.status !== 0 && /code EUSAGE/.test(result.stderr ?? '');

/** Runs the npm that started this process, if there is one. npm must not ask questions. */
function npm(...args) {
  const cli = process.env.npm_execpath;
  const [command, ...before] = cli?.endsWith('npm-cli.js') ? [process.execPath, cli] : ['npm'];
  const env = { ...process.env, npm_config_yes: 'false' };
  const stdio = ['ignore', 'pipe', 'pipe'];
  return spawnSync(command, [...before, ...args], { cwd: checkout, env, encoding: 'utf8', stdio });
}

function supervise(args) {
  const supervisor = spawn(process.execPath, ['--import', 'tsx', 'dev/services/main.ts', ...args], {
    cwd: checkout,
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    detached: true,
  });
  const cleanups = [];
  let isCleanedUp = false;
  supervisor.on('message', (message) => {
    if (message.cleanup) cleanups.unshift(message.cleanup);
    if (message.cleanedUp) isCleanedUp = true;
  });
  forwardSignalsTo(supervisor);
  whenNpmEnds(() => supervisor.kill('SIGTERM'));
  supervisor.on('error', (error) => exitWithError(error.message));
  supervisor.on('exit', (code, signal) => {
    killGroup(supervisor.pid);
    if (!isCleanedUp) cleanups.forEach(cleanUp);
    process.exit(code ?? SIGNAL_EXIT_BASE + constants.signals[signal]);
  });
}

function forwardSignalsTo(child) {
  const lastAt = new Map();
  for (const signal of FORWARDED_SIGNALS) {
    process.on(signal, () => {
      const now = Date.now();
      if (now - (lastAt.get(signal) ?? 0) < DUPLICATE_SIGNAL_MS) return;
      lastAt.set(signal, now);
      child.kill(signal);
    });
  }
}

function killGroup(group) {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // The process group has already exited.
  }
}

function cleanUp({ path, command }) {
  if (path) {
    rmSync(path, { recursive: true, force: true, maxRetries: REMOVE_RETRIES_MAX, retryDelay: REMOVE_RETRY_DELAY_MS });
  }
  if (command) spawnSync(command[0], command.slice(1), { cwd: checkout, stdio: 'ignore' });
}

const [command, ...args] = process.argv.slice(2);
checkNode();
const refusal = refusalOfTaken(command, checkout);
if (refusal !== undefined) exitWithError(refusal);
install();
if (command === 'baton') runCli(checkout, args);
else supervise([command, ...args]);
