import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { registerCleanup } from './cleanup.ts';
import { processIdentity } from './processes.ts';
import { cacheFolder } from './unpacked/cache.ts';

/** The addresses of a running `npm start`, stored for `npm run baton` in another terminal. */
interface Announcement {
  readonly owner: string;
  readonly env: Readonly<Record<string, string>>;
}

const KEY_LENGTH = 12;
const READABLE_BY_OWNER = 0o600;

/** Each checkout has a file of its own, so that two clones can run at the same time. */
export function announcementFile(): string {
  const key = createHash('sha256').update(process.cwd()).digest('hex').slice(0, KEY_LENGTH);
  return join(cacheFolder(), `running-${key}.json`);
}

/** Returns a function that removes the announcement. */
export function announce(env: Readonly<Record<string, string>>): () => void {
  const file = announcementFile();
  const announcement: Announcement = { owner: processIdentity(process.pid) ?? String(process.pid), env };
  registerCleanup({ path: file });
  writeFileSync(file, JSON.stringify(announcement), { mode: READABLE_BY_OWNER });
  return () => {
    rmSync(file, { force: true });
  };
}

/** Returns an empty object when there is no announcement, or when its owner has exited. */
export function readAnnouncement(): Readonly<Record<string, string>> {
  try {
    const { owner, env } = JSON.parse(readFileSync(announcementFile(), 'utf8')) as Announcement;
    return isRunning(owner) ? env : {};
  } catch {
    return {};
  }
}

function isRunning(owner: string): boolean {
  const pid = Number.parseInt(owner, 10);
  const identity = processIdentity(pid);
  if (identity !== undefined) return identity === owner;
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
