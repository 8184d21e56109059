import { spawn, spawnSync, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

export interface TiedOptions {
  readonly stdio: StdioOptions;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/** A child that cannot outlive this process. */
export interface Tied {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Settles when the child and everybody who inherited its extra pipes are gone. */
  readonly gone: Promise<void>;
  isGone(): boolean;
}

/** What to send, and how long to wait for it to work before the next. */
export type Ladder = readonly { readonly signal: NodeJS.Signals; readonly waitMs: number }[];

const LAST_WAIT_MS = 10_000;

/** The kernel sends `signal` to the command when its parent is gone, for whatever reason, `kill -9` included. */
export function dyingWithParent(command: readonly string[], signal: 'KILL' | 'QUIT' = 'KILL'): readonly string[] {
  return hasSetpriv() ? ['setpriv', '--pdeathsig', signal, '--', ...command] : command;
}

let setprivFound: boolean | undefined;

/** Linux only. Elsewhere children are stopped in good order, but a `kill -9` of their parent orphans them. */
function hasSetpriv(): boolean {
  setprivFound ??= spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true']).status === 0;
  return setprivFound;
}

/** `command` must come from `dyingWithParent`, or arrange for the same itself after its last change of user. */
export function spawnTied(command: readonly string[], options: TiedOptions): Tied {
  const [file = '', ...args] = command;
  const child = spawn(file, args, options);
  let gone = false;
  const closed = once(child, 'close').then(
    () => undefined,
    () => undefined,
  );
  return {
    process: child,
    pid: child.pid ?? 0,
    gone: closed.then(() => {
      gone = true;
    }),
    isGone: () => gone,
  };
}

/** Climbs the ladder until the child is gone; SIGKILL is always its last rung. */
export async function stopTied(child: Tied, ladder: Ladder): Promise<void> {
  for (const { signal, waitMs } of [...ladder, { signal: 'SIGKILL' as const, waitMs: LAST_WAIT_MS }]) {
    if (child.isGone()) return;
    child.process.kill(signal);
    if (signal !== 'SIGKILL') child.process.kill('SIGCONT');
    const waiting = new AbortController();
    await Promise.race([child.gone, sleep(waitMs, undefined, { signal: waiting.signal }).catch(() => undefined)]);
    waiting.abort();
  }
}
