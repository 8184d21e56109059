import { constants } from 'node:os';
import { dyingWithParent, spawnTied, stopTied, type Tied } from './children.ts';
import type { Step } from './commands.ts';

const SIGNAL_EXIT_BASE = 128;
/** A worker finishes the batch in hand; longer than this is no longer finishing. */
const STOP_WITHIN_MS = 30_000;
/** Nobody is left to wait for us: long enough to give a job back, no longer. */
const ORPHANED_STOP_WITHIN_MS = 5_000;

let current: Tied | undefined;
let isTidying = false;
/** Whether dev/run.mjs was there and is gone; it may be killed before this file is even loaded. */
let isOrphaned = process.send !== undefined && !process.connected;

/**
 * Before the first step (while services start) a signal ends this process at once: dev/run.mjs tidies up after it.
 * Later it is the running step's business.
 */
export function passSignalsOn(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      stopCurrent(signal, STOP_WITHIN_MS);
    });
  }
  // dev/run.mjs was killed and cannot tidy up after us: what is being started is finished first, then all is stopped.
  process.on('disconnect', () => {
    isOrphaned = true;
    if (current !== undefined) stopCurrent('SIGTERM', ORPHANED_STOP_WITHIN_MS);
  });
}

function stopCurrent(signal: NodeJS.Signals, waitMs: number): void {
  if (current !== undefined) void stopTied(current, [{ signal, waitMs }]);
  else if (!isTidying) process.exit(SIGNAL_EXIT_BASE + constants.signals[signal]);
}

/** From now on a signal changes nothing: everything is being stopped already. */
export function ignoreSignals(): void {
  isTidying = true;
}

/** Runs one step to its end and gives its exit status, as a shell would count it. */
export async function runStep(step: Step, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  if (isOrphaned) return SIGNAL_EXIT_BASE + constants.signals.SIGTERM;
  current = spawnTied(dyingWithParent([...step.command, ...args]), { stdio: 'inherit', env });
  await current.gone;
  const { exitCode, signalCode } = current.process;
  current = undefined;
  if (signalCode !== null) return SIGNAL_EXIT_BASE + constants.signals[signalCode];
  return exitCode ?? 1;
}

/**
 * The last thing done when dev/run.mjs, which would have done it, is gone: whoever a step left behind ends with us.
 * dev/run.mjs made this process the leader of a group of its own, so nobody else is in it.
 */
export function takeGroupAlong(): void {
  if (isOrphaned) process.kill(-process.pid, 'SIGKILL');
}
