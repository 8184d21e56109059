import { constants } from 'node:os';
import { isatty } from 'node:tty';

/** Deployments send SIGTERM, a person presses Ctrl-C (SIGINT), and a terminal that is closed sends SIGHUP. */
const STOPPING = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/** A person who presses Ctrl-C this often does not want to wait for the transactions in progress. */
export const FORCING_SIGINTS = 3;
const EXIT_FORCED = 128 + constants.signals.SIGINT;

/**
 * The signals that stop a process. Only the first one counts: a service manager may signal the process and its parent, and
 * the parent passes the signal on, so that the process receives it twice. A second signal must not end a batch in the middle.
 */
export class StopSignals {
  private readonly isTerminal: boolean;
  private readonly exit: (code: number) => void;
  private act: ((signal: NodeJS.Signals) => void) | undefined;
  private first: NodeJS.Signals | undefined;
  private interrupts = 0;

  /** From now on, no signal ends the process by itself. */
  constructor(isTerminal = isatty(0), exit: (code: number) => void = (code) => process.exit(code)) {
    this.isTerminal = isTerminal;
    this.exit = exit;
    for (const signal of STOPPING) process.on(signal, this.receive);
  }

  /** Calls `act` once, with the first signal, also if that came before this call. */
  onStop(act: (signal: NodeJS.Signals) => void): void {
    this.act = act;
    if (this.first !== undefined) act(this.first);
  }

  get isStopping(): boolean {
    return this.first !== undefined;
  }

  close(): void {
    for (const signal of STOPPING) process.off(signal, this.receive);
  }

  private readonly receive = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGINT' && this.isTerminal) this.interrupts += 1;
    if (this.interrupts >= FORCING_SIGINTS) return this.exit(EXIT_FORCED);
    if (this.first !== undefined) return;
    this.first = signal;
    this.act?.(signal);
  };
}
