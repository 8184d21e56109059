import type { StoredError } from './stored-error.ts';
import type { FailedAttempt } from './failed-attempt.ts';
import type { Receipt } from './receipt.ts';

/**
 * accepted → running → done | cancelled | failed, and failed → accepted when it is reopened
 *
 * `accepted`: recorded, waiting for its campaign's turn; nothing is written yet.
 * `running`: it has its campaign's turn; its plan is fixed (who from, who to, in which order), then batches are planned
 * and applied.
 * `failed`: refused, halted or given up. Only what was given up or halted can be reopened, to go on where it stopped.
 */
export const OPERATION_STATES = ['accepted', 'running', 'done', 'cancelled', 'failed'] as const;

export type OperationState = (typeof OPERATION_STATES)[number];

const NEXT: Record<OperationState, readonly OperationState[]> = {
  accepted: ['running', 'cancelled', 'failed'],
  running: ['done', 'cancelled', 'failed'],
  done: [],
  cancelled: [],
  failed: ['accepted'],
};

/** The states from which `state` can be reached. */
export function statesBefore(state: OperationState): readonly OperationState[] {
  return OPERATION_STATES.filter((before) => NEXT[before].includes(state));
}

/** Nothing goes on by itself any more. */
export const ENDED_STATES = ['done', 'cancelled', 'failed'] as const satisfies readonly OperationState[];

export function isEnded(state: OperationState): boolean {
  return ENDED_STATES.some((ended) => ended === state);
}

export const UNFINISHED_STATES = OPERATION_STATES.filter((state) => !isEnded(state));

/** The code of an operation whose attempts were used up. */
export const ATTEMPTS_EXHAUSTED = 'failed';

/** What an operation failed with, when it was no answer to its request: those can be reopened, refusals never. */
export const RETRYABLE_CODES = [ATTEMPTS_EXHAUSTED, 'targets-lost'] as const;

export function isRetryable({ state, error }: Pick<OperationRecord<unknown>, 'state' | 'error'>): boolean {
  return state === 'failed' && RETRYABLE_CODES.some((code) => code === error?.code);
}

/** That somebody wants it to stop. */
export interface Cancellation {
  /** Who asked, in the upstream app's own terms; `null` when it did not say. */
  readonly by: string | null;
  readonly reason: string | null;
  readonly at: Date;
}

export const OPERATION_KINDS = ['reassign', 'unassign', 'reassign-one', 'unassign-one', 'undo', 'self-assign'] as const;

export type OperationKind = (typeof OPERATION_KINDS)[number];

/** The fields that the stored requests of all kinds have. The contract of a kind defines the others. */
export interface StoredRequest {
  readonly kind: OperationKind;
  readonly operationId: string;
  readonly campaignId: string;
}

/** `end-marker`: the empty batch that ends the list of an operation's batches. No batch can be added after it. */
export const BATCH_STATES = ['planned', 'applied', 'dropped', 'end-marker'] as const;

export type BatchState = (typeof BATCH_STATES)[number];

/** What the ledger keeps of anything that was asked for. */
export interface OperationRecord<Request> {
  readonly operationId: string;
  readonly campaignId: string;
  readonly request: Request;
  readonly requestHash: string;
  /** Tells the request that made the operation from those that met it. */
  readonly createdBySendId: string;
  readonly state: OperationState;
  /** The campaign's own count of accepted operations: the order in which bulk ones run. 0 when it was refused unaccepted. */
  readonly sequence: number;
  readonly receipt: Receipt | null;
  /** Why it failed, or is about to. */
  readonly error: StoredError | null;
  /** That it was cancelled, or is about to be. */
  readonly cancellation: Cancellation | null;
  /** The last attempts that failed, newest last; kept when it is reopened. Absent: none did. */
  readonly failures?: readonly FailedAttempt[];
  readonly acceptedAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
}
