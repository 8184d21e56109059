import type { SliceLimits } from '../src/operations/index.ts';

/** A person who waits for one answer often sends the next request soon after. */
const INTERACTIVE_MS = 1_000;

/**
 * Limits how much of the database bulk operations use. A person waits for a single move or a claim, so while one of
 * these is answered, and for a second afterwards, bulk operations of the same worker apply half as many batches at once.
 */
export class Pace {
  private inProgress = 0;
  private lastInteractiveAt = -Infinity;

  /** Calls `answer`, which answers a request that a person waits for, and returns its result. */
  async answering<Answer>(answer: () => Promise<Answer>): Promise<Answer> {
    this.inProgress += 1;
    try {
      return await answer();
    } finally {
      this.inProgress -= 1;
      this.lastInteractiveAt = performance.now();
    }
  }

  /** Returns the limits of a bulk operation. `batchesInFlightMax` changes with the requests that come in. */
  limits({ batchConversationsMax, batchesInFlightMax }: SliceLimits): SliceLimits {
    const isInteractive = (): boolean =>
      this.inProgress > 0 || performance.now() - this.lastInteractiveAt < INTERACTIVE_MS;
    return {
      batchConversationsMax,
      get batchesInFlightMax() {
        return isInteractive() ? Math.ceil(batchesInFlightMax / 2) : batchesInFlightMax;
      },
    };
  }
}
