import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Lock {
  release(): Promise<void>;
}

/**
 * Locks a file for this process. Returns `undefined` if another process has locked it and this one must not wait. Uses the
 * kernel's lock (flock), which cannot remain after a crash: the process that owns it exits when its standard input
 * closes, that is, when this process exits.
 */
export async function takeLock(file: string, { waits }: { readonly waits: boolean }): Promise<Lock | undefined> {
  const options = ['--exclusive', ...(waits ? [] : ['--nonblock'])];
  const owner = spawn('flock', [...options, file, 'sh', '-c', 'echo locked; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // Outside this process group, because Ctrl-C must not release the lock while this process still works.
    detached: true,
  });
  const closed = once(owner, 'close');
  const isLocked = await Promise.race([once(owner.stdout, 'data').then(() => true), closed.then(() => false)]);
  if (!isLocked) return undefined;
  return {
    async release() {
      owner.stdin.end();
      await closed;
    },
  };
}
