import type { SliceLimits } from '../src/operations/index.ts';

/** Somebody who waits for one answer often waits for the next: for this long after the last, bulk work holds back. */
const PEOPLE_MS = 1_000;

/**
 * How hard bulk operations may work. A million conversations can wait a little, a person in front of a screen cannot:
 * while single moves and claims come in, the bulk operations of the same worker take half the places in the database.
 */
export class Pace {
  private lastSeenAt = -Infinity;

  /** A person waits for an answer. */
  noteSomebody(): void {
    this.lastSeenAt = performance.now();
  }

  /** What an operation may take, of `most` when nobody waits. */
  limits({ batchConversationsMax, batchesInFlightMax: most }: SliceLimits): SliceLimits {
    const isSomebodyThere = (): boolean => performance.now() - this.lastSeenAt < PEOPLE_MS;
    return {
      batchConversationsMax,
      get batchesInFlightMax() {
        return isSomebodyThere() ? Math.ceil(most / 2) : most;
      },
    };
  }
}
