/** How often the database is asked for the time. */
const LOOK_EVERY_MS = 60_000;
/** An answer that took longer says less of what time it is than an earlier one. */
const ANSWER_MS_MAX = 500;
/** Clocks that are this close agree: what is measured is the way to the database as much as the clock. */
const AGREE_MS = 1_000;

/**
 * The one clock that all workers share: the database's. A worker whose own is minutes off would end claims before their
 * time, or long after it, and write histories that run backwards.
 */
export class ServerClock {
  private readonly ask: () => Promise<Date>;
  private readonly looking: NodeJS.Timeout;
  private offsetMs = 0;
  private isSet = false;

  private constructor(ask: () => Promise<Date>) {
    this.ask = ask;
    // A look that fails leaves what is known; the next one may succeed.
    this.looking = setInterval(() => void this.look().catch(() => undefined), LOOK_EVERY_MS).unref();
  }

  static async start(ask: () => Promise<Date>): Promise<ServerClock> {
    const clock = new ServerClock(ask);
    await clock.look();
    return clock;
  }

  now(): Date {
    return new Date(Date.now() + this.offsetMs);
  }

  stop(): void {
    clearInterval(this.looking);
  }

  private async look(): Promise<void> {
    const askedAt = performance.now();
    const theirs = await this.ask();
    const tookMs = performance.now() - askedAt;
    // Without an earlier one any will do: by a clock that is days off, receipts would be forgotten before their time.
    if (this.isSet && tookMs > ANSWER_MS_MAX) return;
    this.isSet = true;
    const aheadMs = Math.round(theirs.getTime() + tookMs / 2 - Date.now());
    this.offsetMs = Math.abs(aheadMs) > AGREE_MS + tookMs / 2 ? aheadMs : 0;
  }
}
