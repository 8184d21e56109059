import type { BatchState } from '../domain/operation.ts';
import type { Assignee, Candidate, Position, Status } from '../domain/conversation.ts';
import type { SkipReason } from '../domain/receipt.ts';

/** Conversations that make the same move. */
export interface Move {
  readonly from: Assignee;
  readonly to: Assignee;
  readonly status: Status;
  readonly conversationIds: readonly string[];
}

export interface Skip {
  readonly reason: SkipReason;
  readonly conversationIds: readonly string[];
}

/** The state of planning after a batch: a worker that continues after a crash needs nothing else. */
export interface PlanState {
  /** The last conversation that was read; `null` before the first. */
  readonly position: Position | null;
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

/** Moves to one target that were planned and not written. */
export interface Shortfall {
  readonly to: Assignee;
  readonly count: number;
}

/**
 * A bounded set of moves that is planned first and then applied in one transaction. The plan becomes the receipt: after
 * the batch is applied, `moves` lists exactly what was written, and `skips` everything else that was selected.
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

export interface StoredBatch extends Batch {
  readonly state: BatchState;
}

/** An applied batch: what was written, what was skipped, and what planning has to make up for. */
export interface Applied {
  readonly moves: readonly Move[];
  readonly skips: readonly Skip[];
  readonly shortfalls: readonly Shortfall[];
  /** Targets that were not active when the batch was applied. */
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
    const key = `${move.status}|${move.from ?? ''}|${move.to ?? ''}`;
    const group = this.moves.get(key);
    if (group) group.ids.push(candidate.id);
    else this.moves.set(key, { move, ids: [candidate.id] });
    this.ids.add(candidate.id);
    this.moveTotal += 1;
  }

  addSkip(candidate: Candidate, reason: SkipReason): void {
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

export function countMoves(moves: readonly Move[]): number {
  return moves.reduce((sum, move) => sum + move.conversationIds.length, 0);
}

/** Returns the moves that were planned and not written, by target. */
export function shortfallsBetween(planned: readonly Move[], written: readonly Move[]): Shortfall[] {
  const missing = new Map<Assignee, number>();
  for (const move of planned) missing.set(move.to, (missing.get(move.to) ?? 0) + move.conversationIds.length);
  for (const move of written) missing.set(move.to, (missing.get(move.to) ?? 0) - move.conversationIds.length);
  return [...missing].filter(([, count]) => count > 0).map(([to, count]) => ({ to, count }));
}
