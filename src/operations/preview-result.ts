import type { Assignee } from '../domain/conversation.ts';
import type { MoveCount, SkipCount } from '../domain/receipt.ts';

/** What an operation would do if it ran now. Assignees are texter ids, `null` is the pool. */
export interface Preview {
  readonly selected: number;
  /** What would move: the number to confirm when unassigning all. */
  readonly moved: number;
  /** Per source, target and status. */
  readonly moves: readonly MoveCount[];
  readonly skipped: readonly SkipCount[];
  /** What each source and target holds now, and would then hold, in any status. */
  readonly assignees: readonly { readonly assigneeId: Assignee; readonly holds: number; readonly wouldHold: number }[];
}
