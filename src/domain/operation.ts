import type { Holder, Status } from './conversation.ts';
import type { Spread } from './dealing.ts';
import type { Receipt } from './receipt.ts';
import type { OperationRequest } from './request.ts';

/**
 * accepted → running → done | cancelled | failed
 *
 * `accepted`: recorded, waiting for its campaign's turn; nothing is written yet.
 * `running`: it has its campaign's turn; its plan is fixed (who from, who to, in which order), then batches are planned
 * and applied.
 */
export const OPERATION_STATES = ['accepted', 'running', 'done', 'cancelled', 'failed'] as const;

export type OperationState = (typeof OPERATION_STATES)[number];

const NEXT: Record<OperationState, readonly OperationState[]> = {
  accepted: ['running', 'cancelled', 'failed'],
  running: ['done', 'cancelled', 'failed'],
  done: [],
  cancelled: [],
  failed: [],
};

/** The states from which `state` can be reached. */
export function statesBefore(state: OperationState): readonly OperationState[] {
  return OPERATION_STATES.filter((before) => NEXT[before].includes(state));
}

export function isEnded(state: OperationState): boolean {
  return NEXT[state].length === 0;
}

/** The sequence of an operation that takes no turn: of a single conversation, or refused before it was counted. */
export const NO_TURN = 0;

/** What an operation will do, resolved once and kept, so that whoever carries on after a crash deals as before. */
export interface Plan {
  /** Whose conversations are read. */
  readonly sources: readonly Holder[];
  /** In dealing order. The pool, when unassigning. */
  readonly targets: readonly Holder[];
  /** What each target counts as having at first, in the order of `targets`. */
  readonly loads: readonly number[];
  readonly spread: Spread;
  /** In the order of selection; also the guard that each write checks again. */
  readonly statuses: readonly Status[];
  /** The most that may move; `null` for no limit. */
  readonly limit: number | null;
}

export interface OperationError {
  readonly code: string;
  readonly message: string;
}

/** That somebody wants it to stop. */
export interface Cancellation {
  /** Who asked, in the upstream app's own terms; `null` when it did not say. */
  readonly by: string | null;
  readonly reason: string | null;
  readonly at: Date;
}

/** What the ledger keeps of anything that was asked for. */
export interface OperationRecord<Request> {
  readonly operationId: string;
  readonly campaignId: string;
  readonly request: Request;
  readonly requestHash: string;
  /** Tells the request that made the operation from those that met it. */
  readonly madeBy: string;
  readonly state: OperationState;
  /** The campaign's own count of accepted operations: the order in which bulk ones run. 0 when it was refused unaccepted. */
  readonly sequence: number;
  readonly receipt: Receipt | null;
  /** Why it failed, or is about to. */
  readonly error: OperationError | null;
  /** That it was cancelled, or is about to be. */
  readonly cancellation: Cancellation | null;
  readonly acceptedAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
}

export interface Operation extends OperationRecord<OperationRequest> {
  /** Fixed once it runs; `null` before. */
  readonly plan: Plan | null;
}
