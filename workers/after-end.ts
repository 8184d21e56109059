import type { ClaimQueue, EndedClaims } from '../src/claims/index.ts';
import type { Context } from '../src/context.ts';
import { isEnded } from '../src/domain/operation.ts';
import { needsCampaignLock, type Operation, type OperationQueue } from '../src/operations/index.ts';

/** Wakes the jobs that wait for an operation to end, or for the conversations that it moved. Safe to repeat. */
export class AfterEnd {
  private readonly context: Context;
  private readonly queue: OperationQueue;
  private readonly claims: ClaimQueue;
  private readonly endedClaims: EndedClaims;
  private readonly afterMoves: SharedChecks;
  private readonly afterSnoozes: SharedChecks;

  constructor(context: Context, queue: OperationQueue, claims: ClaimQueue, endedClaims: EndedClaims) {
    this.context = context;
    this.queue = queue;
    this.claims = claims;
    this.endedClaims = endedClaims;
    this.afterMoves = new SharedChecks(([moved]) => this.wakeWaitingClaims(moved));
    this.afterSnoozes = new SharedChecks((snoozed) => this.wakeSnoozed(snoozed));
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

  /** Wakes waiting claims after a single move, whose answer does not wait for it. Reconcile wakes what this could not. */
  wakeAfterMove(moved: Operation): void {
    if (!isFromPoolOnly(moved.plan)) this.afterMoves.after(moved).catch(() => undefined);
  }

  /**
   * Call it for an operation whose job was snoozed just now. Another worker may have cancelled the operation, or ended the one
   * before it, and then woken a job that was still running.
   */
  recheck(snoozed: Operation): Promise<void> {
    return this.afterSnoozes.after(snoozed);
  }

  /** Resolves when nothing is left to wake. */
  async settled(): Promise<void> {
    await Promise.all([this.afterMoves.settled(), this.afterSnoozes.settled()]);
  }

  /** A job that cannot be woken must not keep the others from being woken: they would sleep for an hour. */
  private async wakeSnoozed(snoozed: readonly [Operation, ...Operation[]]): Promise<void> {
    const ids = snoozed.map(({ operationId }) => operationId);
    const ended = await this.context.stores.operations.endedAmong(ids);
    const wakes = [...ended.map((operation) => this.queue.wake(operation)), this.wakeNextOperation(snoozed[0])];
    const failed = (await Promise.allSettled(wakes)).find((wake) => wake.status === 'rejected');
    if (failed) throw failed.reason;
  }
}

function isFromPoolOnly(plan: Operation['plan']): boolean {
  return plan?.sources.every((assignee) => assignee === null) ?? true;
}

/** Operations of one campaign. */
type Operations = readonly [Operation, ...Operation[]];

interface Next {
  readonly operations: [Operation, ...Operation[]];
  readonly ended: Promise<void>;
}

/**
 * Runs a check after operations. Each campaign has at most one check at a time. Operations that come during it share the next
 * one, which begins after all of them: thousands can come together.
 */
export class SharedChecks {
  private readonly check: (operations: Operations) => Promise<void>;
  /** By campaign. */
  private readonly running = new Map<string, Promise<void>>();
  private readonly next = new Map<string, Next>();

  constructor(check: (operations: Operations) => Promise<void>) {
    this.check = check;
  }

  /** Resolves when a check that began after this call has ended. Throws what the check throws. */
  after(operation: Operation): Promise<void> {
    const { campaignId } = operation;
    const next = this.next.get(campaignId);
    if (next) {
      next.operations.push(operation);
      return next.ended;
    }
    const operations: Next['operations'] = [operation];
    const ended = this.afterRunning(campaignId, () => this.check(operations));
    this.next.set(campaignId, { operations, ended });
    return ended;
  }

  /** Resolves when nothing is left to check. */
  async settled(): Promise<void> {
    while (this.next.size + this.running.size > 0) {
      await Promise.allSettled([...[...this.next.values()].map(({ ended }) => ended), ...this.running.values()]);
    }
  }

  private async afterRunning(campaignId: string, check: () => Promise<void>): Promise<void> {
    await this.running.get(campaignId)?.catch(() => undefined);
    this.next.delete(campaignId);
    const running = check();
    this.running.set(campaignId, running);
    try {
      await running;
    } finally {
      if (this.running.get(campaignId) === running) this.running.delete(campaignId);
    }
  }
}
