import { setTimeout as delay } from 'node:timers/promises';
import pTimeout from 'p-timeout';
import type { HttpProblem } from './problem.ts';
import { answerTimeout, unavailable } from './problem-of-error.ts';

/** A service that every request needs. */
export interface Probe {
  readonly name: string;
  /** Asks the service for an answer that costs it nothing. */
  readonly ask: () => Promise<unknown>;
}

/** The first request fails at most about two seconds after a service has stopped answering. */
const ASK_EVERY_MS = 400;
const ANSWER_MS_MAX = 700;
/** One lost answer may be a pause of this process. */
const LOST_ANSWERS_MAX = 2;

/**
 * Asks the services at short intervals, because their clients wait much longer than a client of HTTP wants to. Requests that
 * run or arrive while a service does not answer end with 503.
 */
export class Availability {
  private readonly lost = new Map<string, number>();
  private readonly stopped = new AbortController();
  /** Rejects the requests that run when a service stops answering. */
  private readonly running = new Set<(problem: HttpProblem) => void>();

  constructor(probes: readonly Probe[]) {
    for (const probe of probes) void this.watch(probe);
  }

  /** The names of the services that do not answer. */
  get missing(): readonly string[] {
    return [...this.lost].flatMap(([name, lost]) => (lost >= LOST_ANSWERS_MAX ? [name] : []));
  }

  /** Waits for `work`, but for at most `limitMs`, and no longer than the services answer. The work itself continues. */
  async during<Result>(limitMs: number, work: () => Promise<Result>): Promise<Result> {
    this.requireServices();
    let fail: (problem: HttpProblem) => void = () => undefined;
    const lost = new Promise<never>((_, reject) => {
      fail = reject;
    });
    this.running.add(fail);
    // A service can answer a probe while a command hangs.
    const timer = setTimeout(() => fail(answerTimeout(limitMs)), limitMs);
    try {
      return await Promise.race([work(), lost]);
    } finally {
      clearTimeout(timer);
      this.running.delete(fail);
    }
  }

  requireServices(): void {
    if (this.missing.length > 0) throw this.unavailable();
  }

  close(): void {
    this.stopped.abort();
  }

  private async watch({ name, ask }: Probe): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      const answered = await pTimeout(Promise.resolve().then(ask), { milliseconds: ANSWER_MS_MAX }).then(
        () => true,
        () => false,
      );
      this.note(name, answered);
      await delay(ASK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  private note(name: string, answered: boolean): void {
    const lost = answered ? 0 : (this.lost.get(name) ?? 0) + 1;
    this.lost.set(name, lost);
    if (lost !== LOST_ANSWERS_MAX) return;
    for (const fail of this.running) fail(this.unavailable());
  }
  private unavailable(): HttpProblem {
    return unavailable(this.missing.join(' and '));
  }
}
