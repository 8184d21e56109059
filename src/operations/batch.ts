import type { BatchState } from '../domain/operation.ts';
import type { Assignee, Candidate, Position } from '../domain/conversation.ts';
import type { SkipReason } from '../domain/receipt.ts';
import { countMoves, directionKey, moveKey, splitMoves, type Move } from './moves.ts';

export interface Skip {
  readonly reason: SkipReason;
  readonly conversationIds: readonly string[];
}

/** The state of planning after a batch: a worker that continues after a crash needs nothing else. */
export interface PlanState {
  /** The last conversation that was read in order; `null` before the first. */
  readonly position: Position | null;
  /** The last conversation of a surplus, which is read from the end of the order; `null` or absent before the first. */
  readonly surplusPosition?: Position | null;
  /**
   * The last conversation of the pool that claims can receive and that was read, but not planned yet; `null` or absent
   * when the pool was not read beyond `position`. Claims leave the conversations up to here to the operation.
   */
  readonly readAhead?: Position | null;
  /** The load of each target, in the order of the plan's targets. Shortfalls are not subtracted. */
  readonly loads: readonly number[];
  /** Moves planned so far, those of this batch included. Shortfalls are not subtracted. */
  readonly planned: number;
}

/** Moves from one assignee to one target that were planned and not written. */
export interface Shortfall {
  readonly from: Assignee;
  readonly to: Assignee;
  readonly count: number;
}

/**
 * A bounded set of moves that is planned first and then applied, in one transaction or in several parts. The plan becomes
 * the receipt: after the batch is applied, `moves` lists exactly what was written, and `skips` everything else that was
 * selected.
 */
export interface Batch {
  readonly operationId: string;
  readonly campaignId: string;
  /** From 1, without gaps. */
  readonly number: number;
  readonly moves: readonly Move[];
  readonly skips: readonly Skip[];
  readonly after: PlanState;
}

/** How far a batch has been applied. */
export interface BatchProgress {
  /** The number of transactions so far. It also changes when a part moved nothing, so a write can check it. */
  readonly parts: number;
  /** The conversations that have moved: the first ones in `moves`. */
  readonly appliedCount: number;
}

export const NOT_BEGUN: BatchProgress = { parts: 0, appliedCount: 0 };

/** A planned batch, of which a part may have been applied. */
export interface UnappliedBatch extends Batch {
  /** Absent before the first part. */
  readonly progress?: BatchProgress;
  /** The moves that were not written so far; absent when there are none. */
  readonly shortfalls?: readonly Shortfall[];
}

export interface StoredBatch extends UnappliedBatch {
  readonly state: BatchState;
  /** The moves that were not applied when the operation was stopped; absent when no part was applied. */
  readonly unappliedMoves?: readonly Move[];
}

/** What the evaluation of a part changes in its batch. */
export type BatchResult = Partial<Pick<StoredBatch, 'moves' | 'skips' | 'shortfalls'>>;

/** The result of applying a part of a batch. */
export interface Applied {
  /** The batch as it is stored now. */
  readonly batch: StoredBatch;
  /** Targets that were not active when the part was applied. */
  readonly inactive: readonly string[];
}

/** Collects the candidates of one batch. */
export class BatchDraft {
  private readonly moves = new Map<string, { move: Omit<Move, 'conversationIds'>; ids: string[] }>();
  private readonly skips = new Map<SkipReason, string[]>();
  private readonly ids = new Set<string>();
  private moveTotal = 0;

  get selectedCount(): number {
    return this.ids.size;
  }

  get moveCount(): number {
    return this.moveTotal;
  }

  has({ id }: Candidate): boolean {
    return this.ids.has(id);
  }

  addMove(candidate: Candidate, to: Assignee): void {
    const move = { from: candidate.assigneeId, to, status: candidate.status };
    const key = moveKey(move);
    const group = this.moves.get(key);
    if (group) group.ids.push(candidate.id);
    else this.moves.set(key, { move, ids: [candidate.id] });
    this.ids.add(candidate.id);
    this.moveTotal += 1;
  }

  addSkip(candidate: Pick<Candidate, 'id'>, reason: SkipReason): void {
    const ids = this.skips.get(reason);
    if (ids) ids.push(candidate.id);
    else this.skips.set(reason, [candidate.id]);
    this.ids.add(candidate.id);
  }

  finish(as: Pick<Batch, 'operationId' | 'campaignId' | 'number' | 'after'>): Batch {
    return {
      ...as,
      moves: [...this.moves.values()].map(({ move, ids }) => ({ ...move, conversationIds: ids })),
      skips: [...this.skips].map(([reason, conversationIds]) => ({ reason, conversationIds })),
    };
  }
}

/** Counts the conversations of a batch that have moved. */
export function countApplied({ state, moves, progress }: StoredBatch): number {
  return state === 'applied' ? countMoves(moves) : (progress?.appliedCount ?? 0);
}

/** Returns the moves of the part that was applied last, which moved `movedCount` conversations. */
export function lastApplied(batch: StoredBatch, movedCount: number): readonly Move[] {
  const { first } = splitMoves(batch.moves, countApplied(batch));
  return splitMoves(first, countApplied(batch) - movedCount).rest;
}

/** Counts the conversations that a batch moves or skips. */
export function countSelected({ moves, skips }: Pick<Batch, 'moves' | 'skips'>): number {
  return countMoves(moves) + skips.reduce((sum, { conversationIds }) => sum + conversationIds.length, 0);
}

/** Returns the texters who receive conversations. */
export function receiversOf(batches: readonly Pick<Batch, 'moves'>[]): string[] {
  return [...new Set(batches.flatMap(({ moves }) => moves.flatMap(({ to }) => to ?? [])))];
}

/** Adds up shortfalls by assignee and target. */
export function addShortfalls(...lists: readonly (readonly Shortfall[])[]): Shortfall[] {
  const sums = new Map<string, Shortfall>();
  for (const { from, to, count } of lists.flat()) {
    const key = directionKey({ from, to });
    sums.set(key, { from, to, count: (sums.get(key)?.count ?? 0) + count });
  }
  return [...sums.values()].filter(({ count }) => count > 0);
}

/** Returns the moves that were planned and not written, by assignee and target. */
export function shortfallsBetween(planned: readonly Move[], written: readonly Move[]): Shortfall[] {
  const counted = (moves: readonly Move[], sign: 1 | -1): Shortfall[] =>
    moves.map(({ from, to, conversationIds }) => ({ from, to, count: sign * conversationIds.length }));
  return addShortfalls(counted(planned, 1), counted(written, -1));
}
