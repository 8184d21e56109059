import { constants } from 'node:os';
import type { Step } from './commands.ts';
import { killedWithParent, spawnChild, stopChild, type Child } from './processes.ts';

const SIGNAL_EXIT_BASE = 128;
/** A worker needs this long to finish the batches in progress. */
const STOP_TIMEOUT_MS = 30_000;
/** After `kill -9` of dev/run.mjs: enough for a worker to return its job to the queue. */
const ORPHANED_STOP_TIMEOUT_MS = 5_000;

let current: Child | undefined;
let isCleaningUp = false;
/** True when dev/run.mjs has exited. It may have been killed before this module was loaded. */
let isOrphaned = process.send !== undefined && !process.connected;

/**
 * Passes signals on to the running step. Before the first step, while services start, a signal ends this process at
 * once and dev/run.mjs cleans up.
 */
export function forwardSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      stopCurrentStep(signal, STOP_TIMEOUT_MS);
    });
  }
  // dev/run.mjs was killed and cannot clean up. Services that are starting finish starting and are stopped afterwards.
  process.on('disconnect', () => {
    isOrphaned = true;
    if (current !== undefined) stopCurrentStep('SIGTERM', ORPHANED_STOP_TIMEOUT_MS);
  });
}

function stopCurrentStep(signal: NodeJS.Signals, waitMs: number): void {
  if (current !== undefined) void stopChild(current, [{ signal, waitMs }]);
  else if (!isCleaningUp) process.exit(SIGNAL_EXIT_BASE + constants.signals[signal]);
}

/** Ignores signals from now on, because the services are already being stopped. */
export function ignoreSignals(): void {
  isCleaningUp = true;
}

/** Runs one step and returns its exit status as a shell would report it. */
export async function runStep(step: Step, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  if (isOrphaned) return SIGNAL_EXIT_BASE + constants.signals.SIGTERM;
  current = spawnChild(killedWithParent([...step.command, ...args]), { stdio: 'inherit', env });
  await current.closed;
  const { exitCode, signalCode } = current.process;
  current = undefined;
  if (signalCode !== null) return SIGNAL_EXIT_BASE + constants.signals[signalCode];
  return exitCode ?? 1;
}

/**
 * Kills the processes that a step left behind, and this process. dev/run.mjs normally does this; it is needed here only
 * when dev/run.mjs was killed. dev/run.mjs started this process as the leader of a process group of its own.
 */
export function killOrphanedGroup(): void {
  if (isOrphaned) process.kill(-process.pid, 'SIGKILL');
}
