import { setTimeout as delay } from 'node:timers/promises';
import type { CountsOfEvent } from './counts-of-event.ts';

/** Counting takes at most this part of the time, and begins at most once in `COUNT_EVERY_MS_MIN`. */
const TIME_SHARE = 1 / 10;
const COUNT_EVERY_MS_MIN = 1_000;

export type VersionedCounts = CountsOfEvent & { readonly version: number };

interface LiveCountsOptions {
  /** Counts at a moment after the call. */
  readonly read: () => Promise<VersionedCounts>;
  readonly send: (counts: VersionedCounts) => void;
}

/** Counts the conversations of a campaign's senders again when something has changed, and sends counts that differ. */
export class LiveCounts {
  private readonly options: LiveCountsOptions;
  private isTouched = false;
  private isCounting = false;
  private isClosed = false;
  private sent = '';

  constructor(options: LiveCountsOptions) {
    this.options = options;
  }

  /** Call it after a change. */
  touch(): void {
    this.isTouched = true;
    if (!this.isCounting) void this.countAll();
  }

  /** The next counts are sent in any case, because somebody may have others. */
  forgetSent(): void {
    this.sent = '';
  }

  close(): void {
    this.isClosed = true;
  }

  private async countAll(): Promise<void> {
    this.isCounting = true;
    while (this.isTouched && !this.isClosed) {
      this.isTouched = false;
      const begunAt = performance.now();
      // After an error, the next change or the next check counts again.
      const counts = await this.options.read().catch(() => undefined);
      if (counts) this.sendChanged(counts);
      const tookMs = performance.now() - begunAt;
      await delay(Math.max(COUNT_EVERY_MS_MIN, tookMs / TIME_SHARE));
    }
    this.isCounting = false;
  }

  private sendChanged(counts: VersionedCounts): void {
    const { version, countedAt, ...numbers } = counts;
    const text = JSON.stringify(numbers);
    if (text === this.sent) return;
    this.sent = text;
    this.options.send(counts);
  }
}
