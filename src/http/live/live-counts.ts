import { setTimeout as delay } from 'node:timers/promises';
import type { Load, SendersView } from '../../conversations/index.ts';

/** Beyond this number of senders an event has none of them, and the client reads them again. */
const SENDERS_OF_EVENT_MAX = 200;

/** The counts by sender, without names. */
export interface CountsOfEvent {
  readonly countedAt: string;
  readonly senders: readonly (Load & { readonly texterId: string; readonly active: boolean })[];
  readonly pool: Load;
  readonly many: readonly 'senders'[];
}

export function countsOfEvent({ countedAt, senders, pool }: SendersView): CountsOfEvent {
  const isMany = senders.length > SENDERS_OF_EVENT_MAX;
  const shown = isMany ? [] : senders.map(({ name, ...sender }) => sender);
  return { countedAt, senders: shown, pool, many: isMany ? ['senders'] : [] };
}

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
