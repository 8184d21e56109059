/**
 * The door to every command: `node dev/run.mjs test …`. Plain JavaScript without a dependency, since it must work on
 * a fresh clone before `npm ci` was ever run. It installs what is missing, starts the supervisor (dev/services/main.ts,
 * in a process group of its own), passes signals on and, should the supervisor die without tidying up (a crash,
 * `kill -9`), does the tidying itself.
 */
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { clearInterval, setInterval } from 'node:timers';
import { fileURLToPath } from 'node:url';

const NODE_FLOOR = [20, 19];
const EXIT_CANNOT_START = 2;
const SIGNAL_EXIT_BASE = 128;
/** Ctrl-C reaches us from the terminal and again from npm: the same signal within this time is one signal. */
const SAME_SIGNAL_MS = 300;
/** A dying PostgreSQL may still be writing into the folder that is being removed. */
const REMOVE_RETRIES_MAX = 20;
const REMOVE_RETRY_DELAY_MS = 100;
/** How often to look whether npm, which started us, was killed without a word. */
const ORPHAN_POLL_MS = 1_000;
const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP'];

const checkout = fileURLToPath(new URL('..', import.meta.url));

const say = (line) => process.stderr.write(`baton: ${line}\n`);

function giveUp(line) {
  say(line);
  process.exit(EXIT_CANNOT_START);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [floorMajor, floorMinor] = NODE_FLOOR;
  if (major > floorMajor || (major === floorMajor && minor >= floorMinor)) return;
  giveUp(`expected Node ${floorMajor}.${floorMinor} or newer, got ${process.versions.node}. See https://nodejs.org/.`);
}

const readPackages = (file) => JSON.parse(readFileSync(`${checkout}${file}`, 'utf8')).packages;

/** Compares the lock file with npm's own record of what lies in node_modules; the record is written last. */
function isInstalled() {
  try {
    const wanted = readPackages('package-lock.json');
    const found = readPackages('node_modules/.package-lock.json');
    return Object.entries(wanted).every(([path, entry]) => {
      if (path === '') return true;
      const mayBeAbsent = entry.optional || entry.devOptional;
      return found[path] === undefined ? mayBeAbsent : found[path].version === entry.version;
    });
  } catch {
    return false;
  }
}

const INSTALL_OPTIONS = ['--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];

function install() {
  if (isInstalled()) return;
  say('installing what package-lock.json lists (npm ci)…');
  let result = npm('ci', ...INSTALL_OPTIONS);
  if (isLockRefused(result)) {
    // Versions of npm differ in which other platforms' packages a lock file must name. What it does name still holds.
    say('this npm finds package-lock.json incomplete: installing with npm install, which leaves the file as it is…');
    result = npm('install', '--no-save', ...INSTALL_OPTIONS);
  }
  if (result.status === 0) return;
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}\n`);
  giveUp('npm could not install; its own words stand above.');
}

const isLockRefused = (result) => result.status !== 0 && /code EUSAGE/.test(result.stderr ?? '');

/** The npm that started us, where one did; it never asks anything. */
function npm(...args) {
  const cli = process.env.npm_execpath;
  const [command, ...before] = cli?.endsWith('npm-cli.js') ? [process.execPath, cli] : ['npm'];
  const env = { ...process.env, npm_config_yes: 'false' };
  const stdio = ['ignore', 'pipe', 'pipe'];
  return spawnSync(command, [...before, ...args], { cwd: checkout, env, encoding: 'utf8', stdio });
}

/** What the supervisor asked to have undone, should it not live to do it: a path to remove, a command to run. */
function undo({ path, command }) {
  if (path) {
    rmSync(path, { recursive: true, force: true, maxRetries: REMOVE_RETRIES_MAX, retryDelay: REMOVE_RETRY_DELAY_MS });
  }
  if (command) spawnSync(command[0], command.slice(1), { cwd: checkout, stdio: 'ignore' });
}

function passSignalsTo(child) {
  const lastAt = new Map();
  for (const signal of PASSED_ON) {
    process.on(signal, () => {
      const now = Date.now();
      if (now - (lastAt.get(signal) ?? 0) < SAME_SIGNAL_MS) return;
      lastAt.set(signal, now);
      child.kill(signal);
    });
  }
}

/** Only where npm stands between us and the caller: `node dev/run.mjs` put in the background may lose its parent. */
function stopWithNpm(child) {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    child.kill('SIGTERM');
  }, ORPHAN_POLL_MS);
}

function killStragglers(group) {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // Nobody left in the group: the usual case.
  }
}

function supervise(args) {
  const child = spawn(process.execPath, ['--import', 'tsx', 'dev/services/main.ts', ...args], {
    cwd: checkout,
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    detached: true,
  });
  const undos = [];
  let tidied = false;
  child.on('message', (message) => {
    if (message.undo) undos.unshift(message.undo);
    if (message.tidied) tidied = true;
  });
  passSignalsTo(child);
  stopWithNpm(child);
  child.on('error', (error) => giveUp(error.message));
  child.on('exit', (code, signal) => {
    killStragglers(child.pid);
    if (!tidied) undos.forEach(undo);
    process.exit(code ?? SIGNAL_EXIT_BASE + constants.signals[signal]);
  });
}

checkNode();
install();
supervise(process.argv.slice(2));
