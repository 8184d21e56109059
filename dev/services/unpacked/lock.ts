import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { say } from '../say.ts';

const SAY_WAITING_AFTER_MS = 500;

/**
 * Runs `work` while no other process holds `file`. The lock is the kernel's (flock): it cannot be left behind, since the
 * helper that holds it ends when its standard input closes, that is, with us.
 */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const holder = spawn('flock', ['--exclusive', file, 'sh', '-c', 'echo locked; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // Not in our group: a Ctrl-C must not take the lock away from a build that is still being stopped.
    detached: true,
  });
  const waiting = setTimeout(() => {
    say('waiting for another command that is building the same thing…');
  }, SAY_WAITING_AFTER_MS);
  try {
    await once(holder.stdout, 'data');
    clearTimeout(waiting);
    return await work();
  } finally {
    clearTimeout(waiting);
    const closed = once(holder, 'close');
    holder.stdin.end();
    await closed;
  }
}
