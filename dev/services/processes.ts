import { spawn, spawnSync, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readlinkSync } from 'node:fs';
import { execa } from 'execa';
import pTimeout from 'p-timeout';
import { lastLines, SetupError } from './messages.ts';

export interface SpawnOptions {
  readonly stdio: StdioOptions;
  readonly env?: NodeJS.ProcessEnv;
}

export interface Child {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Resolves when the child and every process that inherited its extra pipes have exited. */
  readonly closed: Promise<void>;
  isClosed(): boolean;
}

/** The signals that stop a server, in order, with the time to wait after each. */
export type StopSequence = readonly { readonly signal: NodeJS.Signals; readonly waitMs: number }[];

const WAIT_AFTER_SIGKILL_MS = 10_000;
/** proc(5): `starttime` is field 22. Splitting starts after the command name, at field 3. */
const STAT_START_TIME = 22 - 3;

/** Returns a command that the kernel signals when its parent exits, even when the parent exits by `kill -9`. */
export function killedWithParent(command: readonly string[]): readonly string[] {
  return hasSetpriv() ? ['setpriv', '--pdeathsig', 'KILL', '--', ...command] : command;
}

let setprivFound: boolean | undefined;

/** False outside Linux. There, `kill -9` of the parent leaves the child running. */
function hasSetpriv(): boolean {
  setprivFound ??= spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true']).status === 0;
  return setprivFound;
}

/** `command` must come from `killedWithParent`, or set its own parent-death signal after its last change of user. */
export function spawnChild(command: readonly string[], options: SpawnOptions): Child {
  const [file = '', ...args] = command;
  const child = spawn(file, args, options);
  let isClosed = false;
  const markClosed = (): void => {
    isClosed = true;
  };
  const closed = once(child, 'close').then(markClosed, markClosed);
  return { process: child, pid: child.pid ?? 0, closed, isClosed: () => isClosed };
}

/** Sends each signal of `sequence` until the child has exited, and SIGKILL at the end. */
export async function stopChild(child: Child, sequence: StopSequence): Promise<void> {
  for (const { signal, waitMs } of [...sequence, { signal: 'SIGKILL' as const, waitMs: WAIT_AFTER_SIGKILL_MS }]) {
    if (child.isClosed()) return;
    child.process.kill(signal);
    // A child that SIGSTOP has suspended handles the signal only after SIGCONT.
    if (signal !== 'SIGKILL') child.process.kill('SIGCONT');
    await pTimeout(child.closed, { milliseconds: waitMs, message: false });
  }
}

/** Runs one tool without a terminal and returns its stdout. Throws with the end of its output when it fails. */
export async function runTool(command: readonly string[], options: { cwd?: string } = {}): Promise<string> {
  const [file = '', ...args] = command;
  const env = { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
  const result = await execa(file, args, { ...options, env, stdin: 'ignore', all: true, reject: false });
  if (!result.failed) return result.stdout;
  throw new SetupError(`${result.shortMessage}\n${lastLines(result.all)}`);
}

/** How a program has answered `--version`. */
export type VersionAnswer = { readonly text: string } | 'missing' | 'broken';

const VERSION_TIMEOUT_MS = 4_000;

/** Asks a program on the PATH for its version. One that hangs, fails or cannot be run is broken. */
export function askVersion(program: string, timeoutMs = VERSION_TIMEOUT_MS): VersionAnswer {
  const options = { encoding: 'utf8', timeout: timeoutMs, killSignal: 'SIGKILL' } as const;
  const { stdout, status, error } = spawnSync(program, ['--version'], options);
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return 'missing';
  return status === 0 ? { text: stdout } : 'broken';
}

/**
 * Identifies a process. The id alone is not enough, because the system reuses ids: the start time and the process
 * namespace make it unique. Returns `undefined` when the process does not exist, or outside Linux.
 */
export function processIdentity(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const startedAt = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[STAT_START_TIME];
    return `${pid} ${startedAt} ${processNamespace()}`;
  } catch {
    return undefined;
  }
}

export function processNamespace(): string {
  return readlinkSync('/proc/self/ns/pid');
}
