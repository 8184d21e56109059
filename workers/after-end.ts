import type { ClaimQueue } from '../src/claims/index.ts';
import type { Context } from '../src/context.ts';
import { isEnded } from '../src/domain/operation.ts';
import { needsCampaignLock, type Operation, type OperationQueue } from '../src/operations/index.ts';

/** Wakes the jobs that wait for an operation to end, or for the conversations that it moved. Safe to repeat. */
export class AfterEnd {
  private readonly context: Context;
  private readonly queue: OperationQueue;
  private readonly claims: ClaimQueue;

  constructor(context: Context, queue: OperationQueue, claims: ClaimQueue) {
    this.context = context;
    this.queue = queue;
    this.claims = claims;
  }

  /** Wakes the operation that runs next on the campaign. Its job may be snoozed, failed or lost. */
  async wakeNextOperation({ request, campaignId }: Operation): Promise<void> {
    if (!needsCampaignLock(request)) return;
    const next = await this.context.stores.operations.nextOperation(campaignId);
    if (next) await this.queue.wake(next);
  }

  /** Wakes the jobs of waiting claims that have ended. A job that could not be woken finds the end by itself. */
  wakeEndedClaims(claimIds: readonly string[]): void {
    for (const id of claimIds) this.claims.wake(id).catch(() => undefined);
  }

  /**
   * Wakes claims that may be granted more now: conversations came back to the pool, a texter has fewer, or an operation has
   * ended that claims waited for, because it had planned the rest of the pool.
   */
  async wakeWaitingClaims({ request, plan, campaignId, state }: Operation): Promise<void> {
    const isFromPoolOnly = plan?.sources.every((assignee) => assignee === null) ?? true;
    const freesThePool = isEnded(state) && needsCampaignLock(request);
    if (isFromPoolOnly && !freesThePool) return;
    if (await this.context.stores.claims.firstWaiting(campaignId)) await this.claims.poolRefilled(campaignId);
  }
}
