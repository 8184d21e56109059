import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { processIdentity, processNamespace } from './processes.ts';

/** Something that has to be removed, or a command that has to run, if this process dies. */
export type Cleanup = { readonly path: string } | { readonly command: readonly string[] };

export interface TemporaryFolder {
  readonly path: string;
  remove(): void;
}

const PREFIX = 'baton-';
const OWNER_FILE = '.owner';
/** A PostgreSQL that is being killed may still write into the folder. */
const REMOVE_RETRIES_MAX = 20;
const REMOVE_RETRY_DELAY_MS = 100;

/**
 * Asks dev/run.mjs to do the cleanup if this process crashes or is killed. In a test or a script there is no
 * dev/run.mjs; the next call of `createTemporaryFolder` then removes what was left.
 */
export function registerCleanup(cleanup: Cleanup): void {
  sendToParent({ cleanup }, () => undefined);
}

/** Tells dev/run.mjs that this process has done every registered cleanup. */
export function reportCleanedUp(): Promise<void> {
  return new Promise((resolve) => {
    sendToParent({ cleanedUp: true }, resolve);
  });
}

/** The callback also receives the error of a parent that has exited; without a callback Node would throw it. */
function sendToParent(message: object, onSent: () => void): void {
  if (process.send === undefined || !process.connected) onSent();
  else process.send(message, undefined, undefined, onSent);
}

/** Creates a folder for one server's data. Also removes the folders of processes that were killed. */
export function createTemporaryFolder(parent: string): TemporaryFolder {
  removeAbandoned(parent);
  const path = mkdtempSync(join(parent, PREFIX));
  registerCleanup({ path });
  writeFileSync(join(path, OWNER_FILE), processIdentity(process.pid) ?? '');
  return {
    path,
    remove() {
      rmSync(path, { recursive: true, force: true, maxRetries: REMOVE_RETRIES_MAX, retryDelay: REMOVE_RETRY_DELAY_MS });
    },
  };
}

function removeAbandoned(parent: string): void {
  for (const name of readdirSync(parent)) {
    const folder = join(parent, name);
    if (!name.startsWith(PREFIX) || !isAbandoned(folder)) continue;
    try {
      rmSync(folder, { recursive: true, force: true });
    } catch {
      // Another command is removing the folder at the same time.
    }
  }
}

function isAbandoned(folder: string): boolean {
  const owner = readOwner(folder);
  if (owner === undefined) return false;
  // Two containers may share the cache folder. The processes of the other container are not visible here.
  const isOwnerVisible = owner.endsWith(` ${processNamespace()}`);
  return isOwnerVisible && owner !== processIdentity(Number.parseInt(owner, 10));
}

/** Returns `undefined` for a folder of another program, and for one whose owner has not yet written the owner file. */
function readOwner(folder: string): string | undefined {
  try {
    const owner = readFileSync(join(folder, OWNER_FILE), 'utf8');
    return owner === '' ? undefined : owner;
  } catch {
    return undefined;
  }
}
