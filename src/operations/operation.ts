import type { Assignee, Status } from '../domain/conversation.ts';
import type { Spread } from '../domain/dealing.ts';
import type { OperationRecord } from '../domain/operation.ts';
import type { OperationRequest } from './request.ts';

/** The sequence of an operation that takes no turn: of a single conversation, or refused before it was counted. */
export const NO_SEQUENCE = 0;

/** What an operation will do, resolved once and kept, so that whoever carries on after a crash deals as before. */
export interface Plan {
  /** Whose conversations are read. */
  readonly sources: readonly Assignee[];
  /** In dealing order. The pool, when unassigning. */
  readonly targets: readonly Assignee[];
  /** What each target counts as having at first, in the order of `targets`. */
  readonly loads: readonly number[];
  readonly spread: Spread;
  /** In the order of selection; also the guard that each write checks again. */
  readonly statuses: readonly Status[];
  /** The most that may move; `null` for no limit. */
  readonly limit: number | null;
}

export interface Operation extends OperationRecord<OperationRequest> {
  /** Fixed once it runs; `null` before. */
  readonly plan: Plan | null;
  /**
   * How often it was reopened; absent: never. Whoever ends an operation says of which run: one that still believes in an
   * earlier run changes nothing.
   */
  readonly reopened?: number;
}

/** One run of an operation, to be ended. */
export type Run = Pick<Operation, 'operationId' | 'reopened'>;
