import type { Candidate, Status } from '../domain/conversation.ts';
import type { SkipReason } from '../domain/receipt.ts';
import type { Skip } from './batch.ts';
import type { Move } from './moves.ts';

/** The current state of a planned conversation, read in the transaction that moves it. */
export interface Found extends Omit<Candidate, 'waitingSince'> {
  /** True when the conversation's history contains this operation. */
  readonly isMovedBefore: boolean;
  /** The operation that moved the conversation last. */
  readonly lastOperationId: string | null;
}

/** The conditions that each write checks again, besides the assignee. */
export interface WriteGuard {
  readonly statuses: readonly Status[];
  /** The operation that must have moved the conversation last; `null` for any. */
  readonly lastMovedBy: string | null;
  /** True when conversations that were planned for a target that is inactive now are dealt again to the others. */
  readonly dealsAgain: boolean;
}

export interface Guard extends WriteGuard {
  /** Targets that are not active texters of the campaign. */
  readonly inactive: ReadonlySet<string>;
}

/** The moves of a batch that can be written now, and the skips. */
export interface Evaluation {
  readonly moves: readonly Move[];
  readonly skips: readonly Skip[];
}

/**
 * Divides planned moves into moves that still hold and skips with their reasons. A move in the result has the current
 * status, which may differ from the planned one. If a conversation was planned twice, its first move counts.
 */
export function evaluate(planned: readonly Move[], found: ReadonlyMap<string, Found>, guard: Guard): Evaluation {
  const skips = new SkipLists();
  const evaluated = new Set<string>();
  const moves = planned.flatMap((move) => {
    const conversationIds = move.conversationIds.filter((id) => {
      if (evaluated.has(id)) return false;
      evaluated.add(id);
      const decision = decide(move, found.get(id), guard);
      const reason = skipReasonOf(decision, guard);
      if (reason) skips.add(reason, id);
      return decision === 'move';
    });
    return byStatus(move, conversationIds, found);
  });
  return { moves, skips: skips.all };
}

/** No reason for a conversation that the receipt counts elsewhere: in an earlier batch, or in a later one. */
function skipReasonOf(decision: Decision, { dealsAgain }: Guard): SkipReason | undefined {
  if (decision === 'move' || decision === 'moved-before') return undefined;
  return decision === 'target-inactive' && dealsAgain ? undefined : decision;
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
 * `moved-before`: an earlier batch of this operation moved the conversation, and its status changed since, so it was
 * selected again. The receipt counts it already.
 */
type Decision = 'move' | 'moved-before' | SkipReason;

/** When several skip reasons apply, the first in this order is reported. */
function decide(move: Move, found: Found | undefined, guard: Guard): Decision {
  if (!found) return 'gone';
  if (found.isMovedBefore) return 'moved-before';
  if (guard.lastMovedBy !== null && found.lastOperationId !== guard.lastMovedBy) return 'assignee-changed';
  if (found.assigneeId === move.to) return 'already-there';
  if (found.assigneeId !== move.from) return 'assignee-changed';
  if (found.isIncomplete) return 'incomplete';
  if (!guard.statuses.includes(found.status)) return 'status-changed';
  if (found.optedOut && move.to !== null) return 'opted-out';
  if (move.to !== null && guard.inactive.has(move.to)) return 'target-inactive';
  return 'move';
}

/** Conversation ids by skip reason. */
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

/** Merges the skips with the same reason. */
export function mergeSkips(...groups: readonly (readonly Skip[])[]): Skip[] {
  const lists = new SkipLists();
  for (const skip of groups.flat()) lists.add(skip.reason, ...skip.conversationIds);
  return lists.all;
}
