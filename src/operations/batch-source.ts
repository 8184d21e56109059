import type { Applied, Batch, Shortfall } from './batch.ts';
import type { WriteGuard } from './evaluate.ts';

/**
 * Plans the batches of one operation, in order. `select.ts` and `undo.ts` implement it; `run.ts` applies the batches and
 * reports back what was written.
 */
export interface BatchSource {
  /** What the write of each batch checks again. */
  readonly guard: WriteGuard;
  /** True when nothing is left to plan. A shortfall in a later result can make it false again. */
  isComplete(): boolean;
  /** True when conversations are read before they are planned, so that a preview needs no evaluation. */
  readonly readsConversations: boolean;
  /** True when a batch is written as planned first, and evaluated only if a conversation is not as planned. */
  readonly triesAsPlanned: boolean;
  /**
   * Returns how many conversations still match after this first batch is written whole. Returns `undefined` when more has to be
   * planned. `isCounted`: false when the operation leaves others on purpose, so that they need no count.
   */
  leftAfter(batch: Batch, isCounted: boolean): Promise<number | undefined>;
  /** Continues after the newest stored batch. `shortfalls` lists those of every batch so far. */
  resume(newest: Batch, shortfalls: readonly BatchShortfalls[]): Promise<void> | void;
  /** Plans batches of at most `sizeMax()` conversations. Call it again while {@link isComplete} is false. */
  batches(sizeMax: () => number): AsyncIterable<Batch>;
  /** Takes note of an applied part. Its shortfalls are planned anew, and inactive targets get nothing more. */
  addApplied(applied: Applied): void;
  /** The empty batch that closes the list. */
  endMarker(): Batch;
  /**
   * Counts the conversations that still match after the end, such as those beyond a confirmed number, and those that the
   * receipt counts as skipped.
   */
  countLeft(): Promise<number>;
  /** Counts the conversations that batches after `newest` would select. */
  countUnplanned(newest: Batch | undefined): Promise<number>;
}

export interface BatchShortfalls {
  readonly number: number;
  readonly shortfalls: readonly Shortfall[];
}
