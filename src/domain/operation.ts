import { HALT_CODES } from './errors.ts';
import { ATTEMPTS_EXHAUSTED, type FailedAttempt, type StoredError } from './stored-error.ts';
import type { Receipt } from './receipt.ts';

/**
 * accepted → running → done | cancelled | failed, and failed → accepted when a retry reopens the operation
 *
 * `accepted`: recorded, and waiting for the campaign lock. No conversation has moved.
 * `running`: has the campaign lock. Its plan is fixed; batches are planned and applied.
 * `failed`: refused, halted, or out of attempts. A retry reopens only the last two, and continues where they stopped.
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

/** Returns the states that `state` can follow. */
export function statesBefore(state: OperationState): readonly OperationState[] {
  return OPERATION_STATES.filter((before) => NEXT[before].includes(state));
}

/** The states that only a retry can leave. */
export const ENDED_STATES = ['done', 'cancelled', 'failed'] as const satisfies readonly OperationState[];

export function isEnded(state: OperationState): boolean {
  return ENDED_STATES.some((ended) => ended === state);
}

export const UNFINISHED_STATES = OPERATION_STATES.filter((state) => !isEnded(state));

/** Error codes of failed operations that a retry can reopen. A refused operation is never retried. */
export const RETRYABLE_CODES = [ATTEMPTS_EXHAUSTED, ...HALT_CODES] as const;

export function isRetryable({ state, error }: Pick<OperationRecord<unknown>, 'state' | 'error'>): boolean {
  return state === 'failed' && RETRYABLE_CODES.some((code) => code === error?.code);
}

/** The request to cancel an operation. */
export interface Cancellation {
  /** The `actorId` of the request; `null` without one. */
  readonly by: string | null;
  readonly reason: string | null;
  readonly at: Date;
}

export const OPERATION_KINDS = [
  'reassign',
  'unassign',
  'reassign-one',
  'unassign-one',
  'reassign-list',
  'unassign-list',
  'undo',
  'self-assign',
] as const;

export type OperationKind = (typeof OPERATION_KINDS)[number];

/**
 * `even`: every target gets the same number of the dealt conversations. `level`: the target with the lowest load is filled
 * first. Targets that are sources too keep their share, which `even` computes from the selected conversations and `level`
 * from all.
 */
export const SPREADS = ['even', 'level'] as const;

export type Spread = (typeof SPREADS)[number];

/** The fields that the stored requests of all kinds have. The contract of a kind defines the others. */
export interface StoredRequest {
  readonly kind: OperationKind;
  readonly operationId: string;
  readonly campaignId: string;
}

/** `end-marker`: the empty batch that ends the list of an operation's batches. No batch can be added after it. */
export const BATCH_STATES = ['planned', 'applied', 'dropped', 'end-marker'] as const;

export type BatchState = (typeof BATCH_STATES)[number];

/** The stored fields that operations and claims share. */
export interface OperationRecord<Request> {
  readonly operationId: string;
  readonly campaignId: string;
  readonly request: Request;
  readonly requestHash: string;
  /** The `sendId` of the job that created the operation. Later jobs with the same request have another one. */
  readonly createdBySendId: string;
  readonly state: OperationState;
  /** The campaign's count of accepted bulk operations: the order in which they run. 0 for other operations. */
  readonly sequence: number;
  readonly receipt: Receipt | null;
  /** Why the operation failed, or is to fail. */
  readonly error: StoredError | null;
  /** Set when the operation was cancelled, or is to be cancelled. */
  readonly cancellation: Cancellation | null;
  /** The last failed attempts, newest last. Kept when the operation is reopened; absent when no attempt failed. */
  readonly failures?: readonly FailedAttempt[];
  readonly acceptedAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
}

/**
 * The source of the current time. Workers use the time of the database, because their own clocks may differ from each
 * other; tests pass a clock of their own.
 */
export interface Clock {
  now(): Date;
}
