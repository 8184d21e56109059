import type { Move } from './batch.ts';
import type { Claim } from '../claims/index.ts';
import { STATUSES } from '../domain/conversation.ts';
import { Refusal, shown } from '../domain/errors.ts';
import { isEnded, type OperationRecord } from '../domain/operation.ts';
import { type Operation, type Plan } from './operation.ts';
import type { OperationRequest } from './request.ts';

/** Anything that the ledger keeps under an id. */
export type Recorded = Operation | Claim;

export function isClaim(recorded: Recorded): recorded is Claim {
  return recorded.request.kind === 'self-assign';
}

/** The same conversations, the other way. */
export function reversed(moves: readonly Move[]): Move[] {
  return moves.map((move) => ({ ...move, from: move.to, to: move.from }));
}

/** What a claim was granted, as the move that it was; from the `from`th on, at most `max` of them. */
export function grantedMove({ request, granted }: Claim, from: number, max: number): Move {
  const conversationIds = granted.slice(from, from + max);
  return { from: null, to: request.texterId, status: 'not-started', conversationIds };
}

/** What must have moved a conversation last for this request to move it; `null`: whatever did. */
export function lastMovedBy(request: OperationRequest): string | null {
  return request.kind === 'undo' ? request.undoes : null;
}

/** Until an operation has ended, nobody knows what there is to give back. */
export function refuseUnfinished({ operationId, state }: OperationRecord<unknown>): void {
  if (isEnded(state)) return;
  const expected = 'an operation that has ended, to undo it';
  throw new Refusal('operation-running', { expected, received: `${shown(operationId)}, ${state}` });
}

/** Whether undoing gives conversations to texters: it only takes from them what came out of the pool. */
export function givesBackToTexters({ receipt }: OperationRecord<unknown>): boolean {
  return (receipt?.bySource ?? []).some(({ assigneeId }) => assigneeId !== null);
}

/** The plan of undoing: nothing is dealt, each conversation goes back to where it was. */
export function undoPlan({ receipt }: OperationRecord<unknown>): Plan {
  const sources = (receipt?.byTarget ?? []).map(({ assigneeId }) => assigneeId);
  const targets = (receipt?.bySource ?? []).map(({ assigneeId }) => assigneeId);
  const loads = targets.map(() => 0);
  return { sources, targets, loads, spread: 'even', statuses: STATUSES, limit: receipt?.moved ?? 0 };
}
