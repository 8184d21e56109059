import type { Context } from '../src/context.ts';
import type { Operation, OperationQueue } from '../src/operations/index.ts';
import type { AfterEnd } from './after-end.ts';

interface RecheckDeps {
  readonly operations: Pick<Context['stores']['operations'], 'endedAmong'>;
  readonly queue: Pick<OperationQueue, 'wake'>;
  readonly afterEnd: Pick<AfterEnd, 'wakeNextOperation'>;
}

interface Check {
  readonly operationIds: string[];
  readonly ended: Promise<void>;
}

/**
 * Checks operations whose jobs were snoozed just now: another worker may have cancelled one of them, or ended the one before
 * it, and then woken a job that was still running. Operations of a campaign that come during a check share the next one.
 */
export class Rechecks {
  private readonly deps: RecheckDeps;
  /** By campaign. */
  private readonly running = new Map<string, Promise<void>>();
  private readonly next = new Map<string, Check>();

  constructor(deps: RecheckDeps) {
    this.deps = deps;
  }

  check(operation: Operation): Promise<void> {
    const { campaignId, operationId } = operation;
    const next = this.next.get(campaignId);
    if (next) {
      next.operationIds.push(operationId);
      return next.ended;
    }
    const operationIds = [operationId];
    const ended = this.afterRunning(campaignId, () => this.run(operation, operationIds));
    this.next.set(campaignId, { operationIds, ended });
    return ended;
  }

  private async afterRunning(campaignId: string, run: () => Promise<void>): Promise<void> {
    await this.running.get(campaignId)?.catch(() => undefined);
    this.next.delete(campaignId);
    const running = run();
    this.running.set(campaignId, running);
    try {
      await running;
    } finally {
      if (this.running.get(campaignId) === running) this.running.delete(campaignId);
    }
  }

  private async run(operation: Operation, operationIds: readonly string[]): Promise<void> {
    const { operations, queue, afterEnd } = this.deps;
    for (const ended of await operations.endedAmong(operationIds)) await queue.wake(ended);
    await afterEnd.wakeNextOperation(operation);
  }
}
