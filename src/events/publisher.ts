import pTimeout from 'p-timeout';
import type { RedisConnection } from '../queue/connection.ts';
import { ChangeDraft } from './change.ts';
import { append, streamKey } from './live-stream.ts';

/** Changes of a campaign that follow each other within this time are written together. */
const GATHER_MS = 100;
/** Longer than the time limit of a producer's command. */
const WRITE_MS_MAX = 3_000;
/** A write that failed is repeated after this time, as a change that follows a gap. */
const RETRY_MS = 1_000;
const RETRIES_MAX = 60;
/** The campaigns whose changes are not written yet. Those beyond this number are lost. */
const CAMPAIGNS_MAX = 1_000;

/** The changes of a campaign on their way to Redis. */
interface Pending {
  draft: ChangeDraft | undefined;
  isWriting: boolean;
  failures: number;
  timer: NodeJS.Timeout | undefined;
  writtenAt: number;
}

export interface PublisherOptions {
  /** A connection whose commands fail soon. */
  readonly redis: RedisConnection;
  readonly prefix: string;
  readonly onError: (error: Error) => void;
}

/** What a process has done with changes since its start. */
export interface PublishedCounts {
  readonly written: number;
  /** Writes that failed or were left out. Their receivers read everything again. */
  readonly lost: number;
}

export type LivePublisher = Pick<ChangePublisher, 'publish'>;

/**
 * Writes what changed on campaigns to their streams in Redis, for those who watch. Call it after the commit. It never throws
 * and never waits: a campaign has one write at a time, and what comes meanwhile is gathered in a change of limited size.
 */
export class ChangePublisher {
  private readonly options: PublisherOptions;
  private readonly campaigns = new Map<string, Pending>();
  private written = 0;
  private lost = 0;
  private isClosed = false;

  constructor(options: PublisherOptions) {
    this.options = options;
  }

  get counts(): PublishedCounts {
    return { written: this.written, lost: this.lost };
  }

  /** Adds to the next change of the campaign. */
  publish(campaignId: string, add: (draft: ChangeDraft) => void): void {
    if (this.isClosed) return;
    const pending = this.campaigns.get(campaignId) ?? this.begin(campaignId);
    if (!pending) return;
    pending.draft ??= new ChangeDraft();
    add(pending.draft);
    if (!pending.isWriting) this.schedule(campaignId, pending, pending.writtenAt + GATHER_MS - performance.now());
  }

  /** Writes what is left, within `limitMs`. */
  async close(limitMs: number): Promise<void> {
    this.isClosed = true;
    const writes = [...this.campaigns].map(([campaignId, pending]) => {
      clearTimeout(pending.timer);
      return this.write(campaignId, pending);
    });
    await pTimeout(Promise.all(writes), { milliseconds: limitMs, fallback: () => undefined });
  }

  private begin(campaignId: string): Pending | undefined {
    if (this.campaigns.size >= CAMPAIGNS_MAX) {
      this.lost += 1;
      return undefined;
    }
    const begun = { draft: undefined, isWriting: false, failures: 0, timer: undefined, writtenAt: -Infinity };
    this.campaigns.set(campaignId, begun);
    return begun;
  }

  private schedule(campaignId: string, pending: Pending, afterMs: number): void {
    pending.timer ??= setTimeout(
      () => {
        pending.timer = undefined;
        void this.write(campaignId, pending);
      },
      Math.max(0, afterMs),
    ).unref();
  }

  private async write(campaignId: string, pending: Pending): Promise<void> {
    const { redis, prefix, onError } = this.options;
    const { draft } = pending;
    if (!draft) return void this.campaigns.delete(campaignId);
    pending.draft = undefined;
    pending.isWriting = true;
    pending.writtenAt = performance.now();
    try {
      const written = append(redis, streamKey(prefix, campaignId), draft.toChange());
      await pTimeout(written, { milliseconds: WRITE_MS_MAX });
      this.written += 1;
      pending.failures = 0;
    } catch (error) {
      this.lost += 1;
      pending.failures += 1;
      onError(error instanceof Error ? error : new Error(String(error)));
    } finally {
      pending.isWriting = false;
    }
    this.continue(campaignId, pending);
  }

  /** Forgets the campaign when nothing has come within the time of gathering. */
  private continue(campaignId: string, pending: Pending): void {
    if (this.isClosed) return;
    if (pending.failures === 0) return this.schedule(campaignId, pending, GATHER_MS);
    if (pending.failures > RETRIES_MAX) return void this.campaigns.delete(campaignId);
    pending.draft ??= new ChangeDraft();
    pending.draft.addGap();
    this.schedule(campaignId, pending, RETRY_MS);
  }
}
