import type { ClaimQueue } from './claim-queue.ts';
import type { ClaimStore } from './ports.ts';

/**
 * Tells the jobs of claims that they have stopped waiting. The store has marked such a claim in the write that ended it. The mark
 * goes when its job is sure to run, and reconcile wakes the jobs of the marked claims. So a worker that dies in between
 * delays an answer, and loses none.
 */
export class EndedClaims {
  private readonly store: Pick<ClaimStore, 'noteWoken'>;
  private readonly queue: ClaimQueue;

  constructor(store: Pick<ClaimStore, 'noteWoken'>, queue: ClaimQueue) {
    this.store = store;
    this.queue = queue;
  }

  async wake(operationIds: readonly string[]): Promise<void> {
    const woken = operationIds.map(async (id) => ((await this.queue.wake(id)) ? [id] : []));
    await this.store.noteWoken((await Promise.all(woken)).flat());
  }
}
