/** What a person or the system sends to end a program. Ctrl-C is SIGINT. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The exit code of a command that a person has stopped with Ctrl-C, as shells have it. */
export const EXIT_STOPPED = 130;

/** A program that starts the command, such as npm, may pass on the signal that the terminal has sent to both already. */
const PASSED_ON_MS = 500;

/**
 * The first signal calls `act` instead of ending the program. A later one ends the program at once, unless it comes so
 * soon that it is the same signal, passed on. Returns a function that stops waiting for signals.
 */
export function onFirstSignal(act: () => void): () => void {
  let firstAtMs: number | undefined;
  return onSignals((signal, end) => {
    if (firstAtMs === undefined) {
      firstAtMs = performance.now();
      return act();
    }
    if (performance.now() - firstAtMs < PASSED_ON_MS) return;
    end();
    endProgram(signal);
  });
}

/** Runs work that says itself what it has done when a person stops it. */
export async function stoppable<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const controller = new AbortController();
  const end = onFirstSignal(() => controller.abort());
  try {
    return await work(controller.signal);
  } finally {
    end();
  }
}

/**
 * Calls `act` before a signal ends the program, for example to leave the terminal as it was. Returns a function that stops
 * waiting for signals.
 */
export function beforeSignalEnds(act: () => void): () => void {
  return onSignals((signal, end) => {
    act();
    end();
    endProgram(signal);
  });
}

function onSignals(act: (signal: NodeJS.Signals, end: () => void) => void): () => void {
  const listeners = SIGNALS.map((signal) => [signal, () => act(signal, end)] as const);
  const end = (): void => listeners.forEach(([signal, listener]) => process.off(signal, listener));
  for (const [signal, listener] of listeners) process.on(signal, listener);
  return end;
}

/** Does what the signal does without listeners, unless others decide what it does. */
function endProgram(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
}
