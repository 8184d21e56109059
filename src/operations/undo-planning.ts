import { countMoves, type Batch, type Move } from './batch.ts';
import type { UndoRequest } from './request.ts';
import { grantedMove, isClaim, reversed, type Recorded } from './undo-rules.ts';
import type { Hand, Planning } from './planning.ts';
import type { StoredBatch, Stores } from './ports.ts';

/** Batches of the undone operation read in one query: a few, since each lists its conversations. */
const PAGE_BATCHES = 4;

/**
 * Plans an undo without reading a conversation: its batch of a number is the reverse of the undone operation's applied
 * batch of that number, and empty where that one was dropped. Whether each still lies where it was put is seen by the
 * write. So the newest batch says all there is to know to go on from.
 */
export class UndoPlanning implements Planning {
  readonly nextUp = null;
  private readonly stores: Stores;
  private readonly request: UndoRequest;
  private readonly batchMax: number;
  private number = 0;
  private planned = 0;

  constructor(stores: Stores, request: UndoRequest, batchMax: number) {
    this.stores = stores;
    this.request = request;
    this.batchMax = batchMax;
  }

  resume(last: Batch): Promise<void> {
    this.number = last.number;
    this.planned = last.after.planned;
    return Promise.resolve();
  }

  async planOn(hand: Hand): Promise<boolean> {
    for await (const batch of this.batches()) {
      await hand.store(batch);
      if (hand.shouldStop()) return false;
    }
    return true;
  }

  /** What is left to plan, batch by batch. */
  async *batches(): AsyncGenerator<Batch> {
    for await (const moves of this.movesOf(await this.findUndone())) {
      this.planned += countMoves(moves);
      this.number += 1;
      yield this.batch(this.number, reversed(moves));
    }
  }

  noteApplied(): void {
    // What was touched since stays where it is: nothing else takes its place.
  }

  endMarker(): Batch {
    return this.batch(this.number + 1, []);
  }

  /** The moves of one batch after the other, from where it stands now. */
  private async *movesOf(undone: Recorded): AsyncGenerator<readonly Move[]> {
    if (!isClaim(undone)) {
      yield* this.movesAfter(this.number, undone.operationId);
      return;
    }
    for (let from = this.planned; from < undone.granted.length; from += this.batchMax) {
      yield [grantedMove(undone, from, this.batchMax)];
    }
  }

  private async *movesAfter(last: number, operationId: string): AsyncGenerator<readonly Move[]> {
    let page: readonly StoredBatch[];
    do {
      page = await this.stores.batches.readAfter(operationId, last, PAGE_BATCHES);
      for (const { number, state, moves } of page) {
        if (number !== last + 1) throw this.gone();
        if (state === 'end-marker') return;
        last = number;
        yield state === 'applied' ? moves : [];
      }
    } while (page.length === PAGE_BATCHES);
    // A list without a endMarker: it was reopened meanwhile, or the rest of it is forgotten.
    await this.findUndone();
  }

  private async findUndone(): Promise<Recorded> {
    const undone = await this.stores.operations.findRecorded(this.request.undoes);
    if (!undone) throw this.gone();
    return undone;
  }

  private gone(): Error {
    return new Error(`operation ${this.request.undoes} is gone from the ledger`);
  }

  private batch(number: number, moves: readonly Move[]): Batch {
    const { operationId, campaignId } = this.request;
    const after = { position: null, loads: [], planned: this.planned };
    return { operationId, campaignId, number, moves, skips: [], after };
  }
}
