import type { Move, Skip } from './batch.ts';
import type { SkipReason } from '../domain/receipt.ts';
import type { Candidate, Status } from '../domain/conversation.ts';

/** A planned conversation as it is now, read in the transaction that is about to move it. */
export interface Found extends Omit<Candidate, 'waitingSince'> {
  /** This operation stands in its history. */
  readonly isMovedBefore: boolean;
  /** The operation that moved it last. */
  readonly lastOperationId: string | null;
}

/** What a batch's write checks again of every conversation, besides its assignee. */
export interface Guard {
  readonly statuses: readonly Status[];
  /** The operation that must have been the last to move it; `null`: whichever. */
  readonly lastMovedBy: string | null;
  /** Targets that are not, or no longer, active texters of the campaign. */
  readonly inactive: ReadonlySet<string>;
}

/** What can be written of a batch as things are now, and what cannot. */
export interface Outcome {
  readonly moves: readonly Move[];
  readonly skips: readonly Skip[];
}

/**
 * Sorts planned moves into those that hold as things are now, and skips with their reasons. A move says the status that
 * was found, which may be another than was planned. A conversation that was planned twice counts the first time.
 */
export function evaluate(planned: readonly Move[], found: ReadonlyMap<string, Found>, guard: Guard): Outcome {
  const skips = new SkipLists();
  const evaluated = new Set<string>();
  const moves = planned.flatMap((move) => {
    const conversationIds = move.conversationIds.filter((id) => {
      if (evaluated.has(id)) return false;
      evaluated.add(id);
      const evaluation = evaluateOne(move, found.get(id), guard);
      if (evaluation !== 'move' && evaluation !== 'moved-before') skips.add(evaluation, id);
      return evaluation === 'move';
    });
    return byStatus(move, conversationIds, found);
  });
  return { moves, skips: skips.all };
}

function byStatus(move: Move, ids: readonly string[], found: ReadonlyMap<string, Found>): Move[] {
  const groups = new Map<Status, string[]>();
  for (const id of ids) {
    const status = found.get(id)?.status ?? move.status;
    const group = groups.get(status);
    if (group) group.push(id);
    else groups.set(status, [id]);
  }
  return [...groups].map(([status, conversationIds]) => ({ ...move, status, conversationIds }));
}

/**
 * `moved-before`: this operation has moved it in an earlier batch (its status changed meanwhile, which brought it up
 * again); it stands in that batch's receipt and must not be counted twice.
 */
type Evaluation = 'move' | 'moved-before' | SkipReason;

/** The first reason that holds is told, the plainest first. */
function evaluateOne(move: Move, found: Found | undefined, guard: Guard): Evaluation {
  if (!found) return 'gone';
  if (found.isMovedBefore) return 'moved-before';
  if (guard.lastMovedBy !== null && found.lastOperationId !== guard.lastMovedBy) return 'assignee-changed';
  if (found.assigneeId === move.to) return 'already-there';
  if (found.assigneeId !== move.from) return 'assignee-changed';
  if (!guard.statuses.includes(found.status)) return 'status-changed';
  if (found.optedOut && move.to !== null) return 'opted-out';
  if (move.to !== null && guard.inactive.has(move.to)) return 'target-inactive';
  return 'move';
}

/** Conversation ids gathered by reason. */
class SkipLists {
  private readonly lists = new Map<SkipReason, string[]>();

  add(reason: SkipReason, ...ids: readonly string[]): void {
    const list = this.lists.get(reason);
    if (list) list.push(...ids);
    else this.lists.set(reason, [...ids]);
  }

  get all(): Skip[] {
    return [...this.lists].map(([reason, conversationIds]) => ({ reason, conversationIds }));
  }
}

/** Skips of one reason told as one. */
export function mergeSkips(...groups: readonly (readonly Skip[])[]): Skip[] {
  const lists = new SkipLists();
  for (const skip of groups.flat()) lists.add(skip.reason, ...skip.conversationIds);
  return lists.all;
}
