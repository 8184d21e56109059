import type { Claim } from '../claims/index.ts';
import { Refusal, unknownOperation } from '../domain/errors.ts';
import { isEnded, type Cancellation } from '../domain/operation.ts';
import type { CancelRequest } from './contract.ts';
import { endStopped } from './ending.ts';
import { accept, type LifecycleDeps } from './lifecycle.ts';
import { isClaim, type Operation, type OperationCommand, type OperationOrClaim, type Run } from './operation.ts';

export interface CancelDeps extends LifecycleDeps {
  /** Finds the request of an operation that is still in the queue, before a worker has accepted it. */
  readonly findSent: (operationId: string) => Promise<OperationCommand | undefined>;
}

/**
 * Stops an operation, or a waiting claim, and ends it as cancelled with a receipt of what has moved. Cancelling twice
 * returns the same operation. Throws a `Refusal` when the operation does not exist or has ended in another way.
 *
 * The cancellation is recorded first, so that a worker that continues after a crash ends the operation as cancelled. Then
 * the list of batches is closed. A worker that runs the operation reads the record before its next batch, or its next
 * write fails because the list is closed.
 */
export async function cancel(deps: CancelDeps, request: CancelRequest): Promise<OperationOrClaim> {
  const found = await find(deps, request);
  const { actorId, reason } = request;
  const cancellation = { by: actorId ?? null, reason: reason ?? null, at: deps.clock.now() };
  const ended = isClaim(found)
    ? await cancelClaim(deps, found, cancellation)
    : await cancelOperation(deps, found, cancellation);
  // A retry reopened the operation between the two steps. The next attempt cancels the new run.
  if (!isEnded(ended.state))
    throw new Error(`operation ${ended.operationId} was reopened while it was being cancelled`);
  if (ended.state !== 'cancelled') throw alreadyEnded(ended);
  return ended;
}

async function find(deps: CancelDeps, { operationId, campaignId }: CancelRequest): Promise<OperationOrClaim> {
  const found = await deps.stores.operations.findOperationOrClaim(operationId);
  if (found?.campaignId === campaignId) return found;
  const sent = found ? undefined : await deps.findSent(operationId);
  if (sent?.request.campaignId !== campaignId) throw unknownOperation(operationId, campaignId);
  return (await accept(deps, sent)).operation;
}

/** Cancels a run of an operation. Returns the operation as it is stored then: another request may have ended it. */
export async function cancelOperation(deps: LifecycleDeps, run: Run, cancellation: Cancellation): Promise<Operation> {
  const recorded = await deps.stores.operations.recordCancellation(run, cancellation);
  return (await endStopped(deps, recorded)) ?? recorded;
}

async function cancelClaim(
  { stores }: CancelDeps,
  claim: Claim,
  cancellation: Cancellation,
): Promise<OperationOrClaim> {
  return (await stores.claims.endWaiting(claim.operationId, { cancellation })) ?? claim;
}

function alreadyEnded({ operationId, state }: OperationOrClaim): Refusal {
  return new Refusal('operation-ended', {
    message: `operation ${operationId} has already ended (${state}) and cannot be cancelled; an undo moves its conversations back`,
    expected: 'an operation that has not ended',
    received: `${operationId}, ${state}`,
  });
}
