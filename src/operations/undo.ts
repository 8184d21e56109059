import type { Claim } from '../claims/index.ts';
import { STATUSES } from '../domain/conversation.ts';
import { Refusal } from '../domain/errors.ts';
import { isEnded, type OperationRecord } from '../domain/operation.ts';
import { countApplied, type Applied, type Batch, type StoredBatch } from './batch.ts';
import { countMoves, splitMoves, type Move } from './moves.ts';
import type { UndoRequest } from './contract.ts';
import type { WriteGuard } from './evaluate.ts';
import { isClaim, type OperationOrClaim, type Plan } from './operation.ts';
import type { Stores } from './ports.ts';
import type { BatchSource } from './batch-source.ts';

/** How many batches of the undone operation one query reads. Few, because each lists its conversations. */
const PAGE_BATCHES = 4;

/** Returns the moves in the opposite direction. */
export function reversed(moves: readonly Move[]): Move[] {
  return moves.map((move) => ({ ...move, from: move.to, to: move.from }));
}

/** Returns conversations of a claim as a move: at most `max` of them, from the index `from`. */
export function grantedMove({ request, granted }: Claim, from: number, max: number): Move {
  const conversationIds = granted.slice(from, from + max);
  return { from: null, to: request.texterId, status: 'not-started', conversationIds };
}

/** Refuses to undo an unfinished operation: more conversations may still move. */
export function refuseUnfinished({ operationId, state }: OperationRecord<unknown>): void {
  if (isEnded(state)) return;
  throw new Refusal('operation-running', {
    message: `operation ${operationId} has not ended (${state}); send the undo again after it has ended`,
    expected: 'an operation that has ended',
    received: `${operationId}, ${state}`,
  });
}

/** Returns false when the undo only takes back what came from the pool. */
export function givesBackToTexters({ receipt }: OperationRecord<unknown>): boolean {
  return (receipt?.bySource ?? []).some(({ assigneeId }) => assigneeId !== null);
}

/** The plan of an undo deals nothing: each conversation goes back to its previous assignee. */
export function undoPlan({ receipt }: OperationRecord<unknown>): Plan {
  const sources = (receipt?.byTarget ?? []).map(({ assigneeId }) => assigneeId);
  const targets = (receipt?.bySource ?? []).map(({ assigneeId }) => assigneeId);
  const loads = targets.map(() => 0);
  return { sources, targets, loads, spread: 'even', statuses: STATUSES, limit: receipt?.moved ?? 0 };
}

export function undoBatches(stores: Stores, request: UndoRequest, plan: Plan): BatchSource {
  return new Undo(stores, request, plan);
}

/**
 * Plans an undo without reading a conversation. Batch n of the undo reverses batch n of the undone operation, and is
 * empty when that batch was dropped, so the newest batch is enough to continue from. The write of each batch checks that
 * the undone operation was the last to move the conversation, and that nobody has worked on it since.
 */
class Undo implements BatchSource {
  readonly guard: WriteGuard;
  readonly readsConversations = false;
  private readonly stores: Stores;
  private readonly request: UndoRequest;
  private readonly plan: Plan;
  private isAllPlanned = false;
  private hasSkipped = false;
  private number = 0;
  private planned = 0;

  constructor(stores: Stores, request: UndoRequest, plan: Plan) {
    this.stores = stores;
    this.request = request;
    this.plan = plan;
    const lastMovedBy = { operationId: request.undoes, includeWorkedOn: request.includeWorkedOn };
    this.guard = { statuses: plan.statuses, lastMovedBy, dealsAgain: false };
  }

  isComplete(): boolean {
    return this.isAllPlanned;
  }

  /**
   * False after the first conversation that could not go back: others probably follow, and a write that is rolled back costs
   * more than reading. Also false when the undo includes what was worked on: its status may have changed, and only an
   * evaluation reads it.
   */
  get triesAsPlanned(): boolean {
    return !this.request.includeWorkedOn && !this.hasSkipped;
  }

  resume(newest: Batch): void {
    this.number = newest.number;
    this.planned = newest.after.planned;
  }

  leftAfter(): Promise<number | undefined> {
    return Promise.resolve(this.isAllPlanned && this.triesAsPlanned ? 0 : undefined);
  }

  /** Reads one batch ahead, so that {@link leftAfter} knows whether it yields the last one. */
  async *batches(sizeMax: () => number): AsyncGenerator<Batch> {
    let last: Batch | undefined;
    for await (const moves of this.movesOf(await this.findUndone(), sizeMax)) {
      if (last) yield last;
      this.planned += countMoves(moves);
      this.number += 1;
      last = this.batch(this.number, reversed(moves));
    }
    this.isAllPlanned = true;
    if (last) yield last;
  }

  /** A conversation that cannot go back stays where it is. No other conversation replaces it. */
  addApplied({ batch }: Applied): void {
    this.hasSkipped ||= batch.skips.length > 0;
  }

  countLeft(): Promise<number> {
    return Promise.resolve(0);
  }

  endMarker(): Batch {
    return this.batch(this.number + 1, []);
  }

  countUnplanned(newest: Batch | undefined): Promise<number> {
    return Promise.resolve((this.plan.limit ?? 0) - (newest?.after.planned ?? 0));
  }

  /** Yields the moves of each batch of the undone operation, from the current position. */
  private async *movesOf(undone: OperationOrClaim, sizeMax: () => number): AsyncGenerator<readonly Move[]> {
    if (!isClaim(undone)) {
      yield* this.movesAfter(this.number, undone.operationId);
      return;
    }
    while (this.planned < undone.granted.length) yield [grantedMove(undone, this.planned, sizeMax())];
  }

  private async *movesAfter(number: number, operationId: string): AsyncGenerator<readonly Move[]> {
    let last = number;
    let page: readonly StoredBatch[];
    do {
      page = await this.stores.batches.readAfter(operationId, last, PAGE_BATCHES);
      for (const batch of page) {
        const { number: next, state, moves } = batch;
        if (next !== last + 1) throw this.deleted();
        if (state === 'end-marker') return;
        last = next;
        // An operation that was reopened meanwhile can have partly applied batches.
        yield state === 'applied' ? moves : splitMoves(moves, countApplied(batch)).first;
      }
    } while (page.length === PAGE_BATCHES);
    // The list has no end marker: the operation was reopened meanwhile, or it is being deleted.
    await this.findUndone();
  }

  private async findUndone(): Promise<OperationOrClaim> {
    const undone = await this.stores.operations.findOperationOrClaim(this.request.undoes);
    if (!undone) throw this.deleted();
    return undone;
  }

  private deleted(): Error {
    return new Error(`operation ${this.request.undoes} has been deleted from the database`);
  }

  private batch(number: number, moves: readonly Move[]): Batch {
    const { operationId, campaignId } = this.request;
    const after = { position: null, loads: [], planned: this.planned };
    return { operationId, campaignId, number, moves, skips: [], after };
  }
}
