import type { Candidate, Assignee, Status } from '../domain/conversation.ts';
import type { SkipReason } from '../domain/receipt.ts';
import type { Position } from '../domain/selection.ts';

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

/** Where planning stood after a batch: enough to go on from it after a crash. */
export interface PlanState {
  /** The last conversation looked at; `null` before the first. */
  readonly position: Position | null;
  /** What the targets were dealt, in the order of the plan's targets; shortfalls not taken back. */
  readonly loads: readonly number[];
  /** Moves planned so far, this batch's included; shortfalls not taken back. */
  readonly planned: number;
}

/** Planned moves to one target that were not written in the end. */
export interface Shortfall {
  readonly to: Assignee;
  readonly count: number;
}

/**
 * A bounded set of moves, planned, then applied in one transaction. The plan becomes the receipt: once applied,
 * `moves` holds exactly what was written and `skips` everything else that was selected.
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

/** Gathers candidates into one batch. */
export class BatchDraft {
  private readonly moves = new Map<string, { move: Omit<Move, 'conversationIds'>; ids: string[] }>();
  private readonly skips = new Map<SkipReason, string[]>();
  private readonly ids = new Set<string>();
  private moving = 0;

  get selectedCount(): number {
    return this.ids.size;
  }

  has({ id }: Candidate): boolean {
    return this.ids.has(id);
  }

  get moveCount(): number {
    return this.moving;
  }

  addMove(candidate: Candidate, to: Assignee): void {
    const move = { from: candidate.assigneeId, to, status: candidate.status };
    const key = `${move.status}|${move.from ?? ''}|${move.to ?? ''}`;
    const group = this.moves.get(key);
    if (group) group.ids.push(candidate.id);
    else this.moves.set(key, { move, ids: [candidate.id] });
    this.ids.add(candidate.id);
    this.moving += 1;
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

/** What was planned and not written, by target. */
export function shortfallsBetween(planned: readonly Move[], written: readonly Move[]): Shortfall[] {
  const missing = new Map<Assignee, number>();
  for (const move of planned) missing.set(move.to, (missing.get(move.to) ?? 0) + move.conversationIds.length);
  for (const move of written) missing.set(move.to, (missing.get(move.to) ?? 0) - move.conversationIds.length);
  return [...missing].filter(([, count]) => count > 0).map(([to, count]) => ({ to, count }));
}
