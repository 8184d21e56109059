import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './unpacked/cache.ts';
import { identityOf } from './scratch.ts';
import { tellUndo } from './undo.ts';

/** Where the services of a running `npm start` are, for `npm run baton` in another terminal. */
interface Announcement {
  readonly owner: string;
  readonly env: Readonly<Record<string, string>>;
}

const KEY_LENGTH = 12;
const READABLE_BY_OWNER = 0o600;

/** One file for each checkout: two clones may run side by side. */
function announcementFile(): string {
  const key = createHash('sha256').update(process.cwd()).digest('hex').slice(0, KEY_LENGTH);
  return join(cacheFolder(), `running-${key}.json`);
}

/** Returns how to take it back. */
export function announce(env: Readonly<Record<string, string>>): () => void {
  const file = announcementFile();
  const text = JSON.stringify({ owner: identityOf(process.pid) ?? String(process.pid), env } satisfies Announcement);
  tellUndo({ path: file });
  writeFileSync(file, text, { mode: READABLE_BY_OWNER });
  return () => {
    rmSync(file, { force: true });
  };
}

/** Empty when nothing was announced, or when the one who did no longer lives. */
export function readAnnouncement(): Readonly<Record<string, string>> {
  try {
    const { owner, env } = JSON.parse(readFileSync(announcementFile(), 'utf8')) as Announcement;
    return isAlive(owner) ? env : {};
  } catch {
    return {};
  }
}

function isAlive(owner: string): boolean {
  const pid = Number.parseInt(owner, 10);
  const identity = identityOf(pid);
  if (identity !== undefined) return identity === owner;
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
