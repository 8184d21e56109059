import type { Claim } from '../claims/index.ts';
import type { Assignee, Status } from '../domain/conversation.ts';
import type { StatusCredits } from '../domain/credits.ts';
import type { OperationRecord, Spread } from '../domain/operation.ts';
import type { SelfAssignSettings } from '../domain/self-assign.ts';
import type { OperationRequest } from './contract.ts';

/** The sequence of an operation that does not take the campaign lock. */
export const NO_SEQUENCE = 0;

/** The limits that a texter's claims obey. A reassign may go past them, and its receipt then says so. */
export type ClaimLimits = Pick<SelfAssignSettings, 'openMax' | 'repliesMax'>;

/**
 * Where an operation moves conversations from and to. It is resolved once, when the operation starts, and stored: a
 * worker that continues after a crash deals in the same order.
 */
export interface Plan {
  readonly sources: readonly Assignee[];
  /** In the order of joining; the pool alone when unassigning. */
  readonly targets: readonly Assignee[];
  /** The load that each target starts with, in the order of `targets`. */
  readonly loads: readonly number[];
  readonly spread: Spread;
  /** In the order of selection. Each write checks the status again. */
  readonly statuses: readonly Status[];
  /** The most conversations that may move; `null` for no limit. */
  readonly limit: number | null;
  /** Only when a target is a source too. */
  readonly surplus?: Surplus;
  /** How many conversations each target gets, in the order of `targets`. Only when the request has a number for each. */
  readonly numbers?: readonly number[];
  /** The named targets that were paused or removed before the operation started; absent when there were none. */
  readonly leftOut?: readonly string[];
  /** The campaign's limits for claims. Only when it allows them; see `limits.ts`. */
  readonly limits?: ClaimLimits;
  /** The credits that decide who gets a remainder. Only when conversations are dealt; see `domain/credits.ts`. */
  readonly credits?: readonly StatusCredits[];
}

/**
 * What moves when targets are sources too. A target that has more than its share gives the rest, from the end of the order
 * of selection. It is counted once, when the operation starts.
 */
export interface Surplus {
  /** The sources that are no targets. All of their conversations move. Sources without conversations are left out. */
  readonly emptied: readonly Assignee[];
  /** The load that each target has in the end, in the order of the plan's targets. */
  readonly shares: readonly number[];
}

export interface Operation extends OperationRecord<OperationRequest> {
  /** `null` until the operation starts; fixed from then on. */
  readonly plan: Plan | null;
  /** How many waiting claims the operation has ended; absent before that, and for kinds that end none. */
  readonly claimsEnded?: number;
  /** How often the operation was reopened by a retry; absent when it never was. */
  readonly reopened?: number;
}

/**
 * One run of an operation: from its start, or from a retry, to its end. Writes that end an operation name the run, so
 * that a worker that still works on an earlier run changes nothing.
 */
export type Run = Pick<Operation, 'operationId' | 'reopened'>;

/** The operations collection keeps both under one namespace of ids. */
export type OperationOrClaim = Operation | Claim;

export function isClaim(operation: OperationOrClaim): operation is Claim {
  return operation.request.kind === 'self-assign';
}

/** A checked request, as a worker takes it from the queue. */
export interface OperationCommand {
  readonly request: OperationRequest;
  readonly requestHash: string;
  /** Identifies the job that carried the request. */
  readonly sendId: string;
}

/** Makes the record of a new operation. The store adds its sequence. */
export function newOperation(
  { request, requestHash, sendId }: OperationCommand,
  at: Date,
): Omit<Operation, 'sequence'> {
  return {
    operationId: request.operationId,
    campaignId: request.campaignId,
    request,
    requestHash,
    createdBySendId: sendId,
    state: 'accepted',
    plan: null,
    receipt: null,
    error: null,
    cancellation: null,
    acceptedAt: at,
    startedAt: null,
    endedAt: null,
  };
}
