import type { Context } from '../src/context.ts';
import { needsCampaignLock, type Operation, type OperationQueue } from '../src/operations/index.ts';
import type { ClaimQueue } from '../src/claims/index.ts';

/** Wakes those for whom the end of an operation, or what it has moved so far, makes a difference. Safe to repeat. */
export class AfterEnd {
  private readonly context: Context;
  private readonly queue: OperationQueue;
  private readonly claims: ClaimQueue;

  constructor(context: Context, queue: OperationQueue, claims: ClaimQueue) {
    this.context = context;
    this.queue = queue;
    this.claims = claims;
  }

  /** Whose turn it is on a campaign, this operation's or another's: its job may be snoozed, given up, or lost. */
  async wakeNext({ request, campaignId }: Operation): Promise<void> {
    if (!needsCampaignLock(request)) return;
    const next = await this.context.stores.operations.nextOperation(campaignId);
    if (next) await this.queue.wake(next);
  }

  /**
   * What came back to the pool may be what claims are waiting for; and a texter whose work was forwarded on may have room
   * for more again.
   */
  async tellWhoWaits({ plan, campaignId }: Operation): Promise<void> {
    const isFromPoolOnly = plan?.sources.every((assignee) => assignee === null) ?? true;
    if (isFromPoolOnly) return;
    if (await this.context.stores.claims.firstWaiting(campaignId)) await this.claims.poolRefilled(campaignId);
  }
}
