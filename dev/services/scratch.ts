import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tellUndo } from './undo.ts';

const PREFIX = 'baton-';
const OWNER_FILE = '.owner';
const REMOVE_RETRIES_MAX = 20;
const REMOVE_RETRY_DELAY_MS = 100;
/** proc(5): `starttime` is field 22; counting starts after the command's name (field 2), at field 3. */
const STAT_START_TIME = 22 - 3;

export interface Scratch {
  readonly path: string;
  remove(): void;
}

/** A folder for one server's data, gone when its owner is: by `remove`, by dev/run.mjs, or by a later sweep. */
export function makeScratch(parent: string): Scratch {
  sweep(parent);
  const path = mkdtempSync(join(parent, PREFIX));
  tellUndo({ path });
  writeFileSync(join(path, OWNER_FILE), identityOf(process.pid) ?? '');
  return {
    path,
    remove() {
      rmSync(path, { recursive: true, force: true, maxRetries: REMOVE_RETRIES_MAX, retryDelay: REMOVE_RETRY_DELAY_MS });
    },
  };
}

/** Removes folders whose owner was killed together with everyone who could have tidied up after it. */
function sweep(parent: string): void {
  for (const name of readdirSync(parent)) {
    const folder = join(parent, name);
    if (!name.startsWith(PREFIX) || !isAbandoned(folder)) continue;
    try {
      rmSync(folder, { recursive: true, force: true });
    } catch {
      // Another command is removing it at this moment.
    }
  }
}

function isAbandoned(folder: string): boolean {
  const owner = readOwner(folder);
  if (owner === undefined) return false;
  // Two containers may share the cache; a process of the other cannot be seen from here, alive or not.
  const isOurs = owner.endsWith(` ${processNamespace()}`);
  return isOurs && owner !== identityOf(Number.parseInt(owner, 10));
}

/** Undefined for a folder that is none of ours, or whose owner is about to write its name. */
function readOwner(folder: string): string | undefined {
  try {
    const owner = readFileSync(join(folder, OWNER_FILE), 'utf8');
    return owner === '' ? undefined : owner;
  } catch {
    return undefined;
  }
}

/** Process ids come round again; with its start time (and among the processes we can see) one is one of a kind. */
export function identityOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const startedAt = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[STAT_START_TIME];
    return `${pid} ${startedAt} ${processNamespace()}`;
  } catch {
    return undefined;
  }
}

function processNamespace(): string {
  return readlinkSync('/proc/self/ns/pid');
}
