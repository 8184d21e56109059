import type { Operation } from '../src/operations/index.ts';

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
