import { unknownCampaign } from '../domain/errors.ts';
import { cancelOperation } from './cancel.ts';
import type { CancelQueuedRequest } from './contract.ts';
import { receiptOfQueued } from './ending-receipt.ts';
import type { LifecycleDeps } from './lifecycle.ts';
import type { Operation } from './operation.ts';
import type { CancelledPage, QueuedRange } from './ports.ts';

/** How many operations one transaction cancels. */
const CANCELLED_AT_ONCE_MAX = 200;

/**
 * The operations that one request covers: those that waited at `at`. It is fixed once, so that a worker that continues after a
 * crash cancels no operation that was accepted since.
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
    // Another request may have ended it in another way.
    yield [...page.cancelled, ...others.filter(({ state }) => state === 'cancelled')];
    next = page.next;
  }
}
