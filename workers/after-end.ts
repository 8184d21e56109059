import type { ClaimQueue, EndedClaims } from '../src/claims/index.ts';
import type { Context } from '../src/context.ts';
import { isEnded } from '../src/domain/operation.ts';
import { needsCampaignLock, type Operation, type OperationQueue } from '../src/operations/index.ts';

/** A look for waiting claims of a campaign after single moves. */
interface Check {
  readonly ended: Promise<void>;
  /** The newest move that has ended since the look began. */
  next: Operation | undefined;
}

/** Wakes the jobs that wait for an operation to end, or for the conversations that it moved. Safe to repeat. */
export class AfterEnd {
  private readonly context: Context;
  private readonly queue: OperationQueue;
  private readonly claims: ClaimQueue;
  private readonly endedClaims: EndedClaims;
  private readonly checks = new Map<string, Check>();

  constructor(context: Context, queue: OperationQueue, claims: ClaimQueue, endedClaims: EndedClaims) {
    this.context = context;
    this.queue = queue;
    this.claims = claims;
    this.endedClaims = endedClaims;
  }

  /** Wakes the operation that runs next on the campaign. Its job may be snoozed, failed or lost. */
  async wakeNextOperation({ request, campaignId }: Operation): Promise<void> {
    if (!needsCampaignLock(request)) return;
    const next = await this.context.stores.operations.nextOperation(campaignId);
    if (next) await this.queue.wake(next);
  }

  /** Wakes the jobs of waiting claims that have ended. Reconcile wakes those that could not be woken. */
  wakeEndedClaims(claimIds: readonly string[]): void {
    this.endedClaims.wake(claimIds).catch(() => undefined);
  }

  /**
   * Wakes claims that may be granted more now: conversations came back to the pool, a texter has fewer, or an operation has
   * ended that claims waited for, because it had planned the rest of the pool. With an empty pool, only the last of these
   * changes anything for them.
   */
  async wakeWaitingClaims({ request, plan, campaignId, state }: Operation): Promise<void> {
    const freesThePool = isEnded(state) && needsCampaignLock(request);
    if (isFromPoolOnly(plan) && !freesThePool) return;
    const { claims } = this.context.stores;
    if (!(await claims.hasWaiting(campaignId))) return;
    if (freesThePool || (await claims.hasClaimable(campaignId))) await this.claims.poolRefilled(campaignId);
  }

  /**
   * The same for a single move. Its answer does not wait for it, and moves that end meanwhile share the next look. Reconcile
   * wakes what could not be woken.
   */
  wakeAfterMove(moved: Operation): void {
    const { campaignId } = moved;
    if (isFromPoolOnly(moved.plan)) return;
    const check = this.checks.get(campaignId);
    if (check) return void (check.next = moved);
    const ended = this.wakeWaitingClaims(moved)
      .catch(() => undefined)
      .then(() => {
        const next = this.checks.get(campaignId)?.next;
        this.checks.delete(campaignId);
        if (next) this.wakeAfterMove(next);
      });
    this.checks.set(campaignId, { ended, next: undefined });
  }

  /** Resolves when nothing is left to wake. */
  async settled(): Promise<void> {
    while (this.checks.size > 0) await Promise.all([...this.checks.values()].map(({ ended }) => ended));
  }
}

function isFromPoolOnly(plan: Operation['plan']): boolean {
  return plan?.sources.every((assignee) => assignee === null) ?? true;
}
