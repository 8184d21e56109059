import type { Batch, Shortfall } from './batch.ts';
import type { Applied } from './ports.ts';

/** Where planned batches go. */
export interface Hand {
  /** Stores a batch and begins to apply it, once there is a place for it. */
  store(batch: Batch): Promise<void>;
  /** Waits until everything stored has been applied. */
  settled(): Promise<void>;
  /** Asked after each batch: true ends the slice. */
  readonly shouldStop: () => boolean;
}

/** How an operation's batches come about. What carries them into the database is the same for all; see `runSlice`. */
export interface Planning {
  /** Goes on behind the newest batch there is, knowing what has shortfallCount away so far. */
  resume(
    last: Batch,
    shortfalls: readonly { readonly number: number; readonly shortfalls: readonly Shortfall[] }[],
  ): Promise<void>;
  /** Plans batch after batch. True when there are no more, false when told to stop. */
  planOn(hand: Hand): Promise<boolean>;
  noteApplied(batch: Batch, applied: Applied): void;
  /** The empty batch that says there are no more. */
  endMarker(): Batch;
  /** The texter with whom the campaign's next dealing begins; `null` leaves it as it is. */
  readonly nextUp: string | null;
}
