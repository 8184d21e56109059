const ASK_EVERY_MS = 60_000;
/** An answer that took longer is too inexact to replace an earlier one. */
const ANSWER_MS_MAX = 500;
/** Smaller differences come from the network as much as from the clocks. They are ignored. */
const DIFFERENCE_IGNORED_MS = 1_000;

/**
 * The clock that all workers share: the clock of the database server. A worker whose own clock is wrong by minutes would
 * end waiting claims too early or too late and write histories that run backwards.
 */
export class ServerClock {
  private readonly readServerTime: () => Promise<Date>;
  private readonly asking: NodeJS.Timeout;
  private offsetMs = 0;
  private isSet = false;

  private constructor(readServerTime: () => Promise<Date>) {
    this.readServerTime = readServerTime;
    // If asking fails, the last offset stays until the next attempt.
    this.asking = setInterval(() => void this.update().catch(() => undefined), ASK_EVERY_MS).unref();
  }

  static async start(readServerTime: () => Promise<Date>): Promise<ServerClock> {
    const clock = new ServerClock(readServerTime);
    await clock.update();
    return clock;
  }

  now(): Date {
    return new Date(Date.now() + this.offsetMs);
  }

  stop(): void {
    clearInterval(this.asking);
  }

  private async update(): Promise<void> {
    const askedAt = performance.now();
    const serverTime = await this.readServerTime();
    const tookMs = performance.now() - askedAt;
    // The first answer counts even if it was slow: with a clock that is wrong by days, receipts would expire too early.
    if (this.isSet && tookMs > ANSWER_MS_MAX) return;
    this.isSet = true;
    const aheadMs = Math.round(serverTime.getTime() + tookMs / 2 - Date.now());
    this.offsetMs = Math.abs(aheadMs) > DIFFERENCE_IGNORED_MS + tookMs / 2 ? aheadMs : 0;
  }
}
