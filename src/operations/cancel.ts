import type { Claim } from '../claims/index.ts';
import { Refusal, unknownCampaign, unknownOperation } from '../domain/errors.ts';
import { isEnded, type Cancellation } from '../domain/operation.ts';
import type { CancelQueuedRequest, CancelRequest } from './contract.ts';
import { receiptOfQueued } from './ending-receipt.ts';
import { endStopped } from './ending.ts';
import { accept, type LifecycleDeps } from './lifecycle.ts';
import { isClaim, type Operation, type OperationCommand, type OperationOrClaim, type Run } from './operation.ts';
import type { CancelledPage, QueuedRange } from './ports.ts';

/** How many operations one transaction cancels. */
const CANCELLED_AT_ONCE_MAX = 200;

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
async function cancelOperation(deps: LifecycleDeps, run: Run, cancellation: Cancellation): Promise<Operation> {
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

/**
 * The operations that one request covers: those that waited at `at`. They are fixed once, so that a worker that continues
 * after a crash cancels no operation that was accepted since.
 */
export interface CancelledQueue extends QueuedRange {
  readonly at: Date;
}

/** Returns the operations that wait now. Returns `undefined` when none does. Throws an `unknown-campaign` refusal. */
export async function findQueued(
  { stores, clock }: LifecycleDeps,
  { campaignId }: CancelQueuedRequest,
): Promise<CancelledQueue | undefined> {
  if (!(await stores.campaigns.find(campaignId))) throw unknownCampaign(campaignId);
  const range = await stores.queued.range(campaignId);
  return range && { ...range, at: clock.now() };
}

/**
 * Cancels the operations of a campaign that wait for others, and yields them as cancelled. An operation that has the campaign
 * lock continues, and so does one that starts before its turn to be cancelled comes. Safe to repeat with the same `queue`: it
 * then yields those that were cancelled before too.
 */
export async function* cancelQueued(
  deps: LifecycleDeps,
  { campaignId, actorId, reason }: CancelQueuedRequest,
  { first, last, at }: CancelledQueue,
): AsyncGenerator<readonly Operation[]> {
  const cancellation = { by: actorId ?? null, reason: reason ?? null, at };
  const queue = { campaignId, last, cancellation, receiptOf: receiptOfQueued };
  for (let next: number | undefined = first; next !== undefined;) {
    const page: CancelledPage = await deps.stores.queued.cancel({ ...queue, first: next }, CANCELLED_AT_ONCE_MAX);
    const others = await Promise.all(page.reopened.map((run) => cancelOperation(deps, run, cancellation)));
    // Another request may have ended one of them in another way.
    yield [...page.cancelled, ...others.filter(({ state }) => state === 'cancelled')];
    next = page.next;
  }
}
