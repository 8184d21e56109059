/** What a person or the system sends to end a program. Ctrl-C is SIGINT. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The exit code of a command that a person has stopped with Ctrl-C, as shells have it. */
export const EXIT_STOPPED = 130;

/**
 * Runs work that says itself what it has done when a person stops it. The second signal ends the program at once.
 */
export async function stoppable<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  for (const signal of SIGNALS) process.once(signal, stop);
  try {
    return await work(controller.signal);
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
  }
}

/**
 * Calls `restore` before a signal ends the program, so that the terminal is as it was. Returns a function that stops waiting
 * for signals.
 */
export function restoreOnSignal(restore: () => void): () => void {
  const listeners = SIGNALS.map((signal) => {
    const listener = (): void => {
      restore();
      end();
      // Nobody else decides what the signal does, so it does what it does without listeners.
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    };
    // Before the listeners of `stoppable`, which are gone once they have been called.
    process.prependListener(signal, listener);
    return () => process.off(signal, listener);
  });
  const end = (): void => listeners.forEach((off) => off());
  return end;
}
