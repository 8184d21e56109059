/** npm stands between a person and the commands of this checkout: it takes options for itself, and it can end alone. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { clearInterval, setInterval } from 'node:timers';

const PARENT_POLL_MS = 1_000;
const PARENT_FIELD = 1;
const SHELLS = ['sh', 'dash', 'bash', 'ash', 'busybox', 'zsh'];
/** npm sets these variables also for settings of its own, and Baton is safe without these options. */
const SETTINGS_OF_NPM = ['all', 'json', 'yes'];

const parent = process.ppid;
/** npm starts a shell. Some shells are replaced by their command; others remain when npm ends. */
const shell = statOf(parent);

/**
 * Calls `act` when npm has ended without this process, by SIGHUP or `kill -9`. Does nothing for a command that npm did not
 * start: there a lost parent is normal, because a shell may have put the process in the background.
 */
export function whenNpmEnds(act) {
  if (process.env.npm_lifecycle_event === undefined) return;
  const timer = setInterval(() => {
    if (!hasNpmEnded()) return;
    clearInterval(timer);
    act();
  }, PARENT_POLL_MS);
  timer.unref();
}

function hasNpmEnded() {
  if (process.ppid !== parent) return true;
  return SHELLS.includes(shell?.name) && statOf(parent)?.parent !== shell.parent;
}

/** Reads the name and the parent of a process. Returns `undefined` outside Linux, where the usual shells do not remain. */
function statOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [start, end] = [stat.indexOf('('), stat.lastIndexOf(')')];
    return { name: stat.slice(start + 1, end), parent: stat.slice(end + 2).split(' ')[PARENT_FIELD] };
  } catch {
    return undefined;
  }
}

/**
 * Refuses a command from which npm took options, for example `--preview` of `npm run baton undo x --preview`. Without it the
 * command would run although only a preview was asked for. Returns `undefined` when npm took none.
 */
export function refusalOfTaken(command, checkout) {
  const options = command === 'baton' ? optionsOfCli(checkout) : command === 'start' ? ['keep'] : [];
  const taken = options.filter((name) => !SETTINGS_OF_NPM.includes(name) && isTaken(name));
  if (taken.length === 0) return undefined;
  const names = taken.map((name) => `--${name}`).join(', ');
  const written = command === 'baton' ? 'npm run -s baton -- COMMAND …' : 'npm start -- --keep DIR';
  return `npm took ${names} for itself, because it did not follow \`--\`: write \`${written}\``;
}

const isTaken = (name) => process.env[`npm_config_${name.replaceAll('-', '_')}`] !== undefined;

/** Returns the names of the options in the sources of the command line. */
function optionsOfCli(checkout) {
  const folder = join(checkout, 'src/cli');
  const files = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.ts'));
  const names = files.flatMap((name) => [
    ...readFileSync(join(folder, name), 'utf8').matchAll(/'(?:-[a-zA-Z], )?--(?:no-)?([a-z][a-z-]+)/g),
  ]);
  return [...new Set(names.map(([, name]) => name))];
}
