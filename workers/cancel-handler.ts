import { cancel, isClaim, type OperationQueue, type Recorded } from '../src/operations/index.ts';
import type { Context } from '../src/context.ts';
import type { ClaimQueue } from '../src/claims/index.ts';
import { type CancelAnswer, parseCancelJob } from '../src/operations/index.ts';
import type { AfterEnd } from './after-end.ts';
import type { Attempt, Handler, Outcome } from './executor.ts';

/** Stops operations, and claims that wait. */
export class ControlHandler implements Handler {
  private readonly context: Context;
  private readonly operations: OperationQueue;
  private readonly claims: ClaimQueue;
  private readonly afterEnd: AfterEnd;

  constructor(context: Context, operations: OperationQueue, claims: ClaimQueue, afterEnd: AfterEnd) {
    this.context = context;
    this.operations = operations;
    this.claims = claims;
    this.afterEnd = afterEnd;
  }

  async handle({ job, log }: Attempt): Promise<Outcome> {
    const { request } = parseCancelJob(job.data);
    const findSent = (operationId: string) => this.operations.findSent(operationId);
    const cancelled = await cancel({ ...this.context, findSent }, request);
    await this.wakeAll(cancelled);
    const { operationId, campaignId, receipt } = cancelled;
    log.info({ operationId, campaignId, moved: receipt?.moved, left: receipt?.left }, 'operation cancelled');
    return { kind: 'completed', result: answerOf(cancelled) };
  }

  /** Whoever waits for its answer hears now, and whoever waits for its turn goes on. */
  private async wakeAll(cancelled: Recorded): Promise<void> {
    if (isClaim(cancelled)) return this.claims.wake(cancelled.operationId);
    await this.operations.wake(cancelled);
    await this.afterEnd.tellWhoWaits(cancelled);
    await this.afterEnd.wakeNext(cancelled);
  }
}

function answerOf({ operationId, receipt }: Recorded): CancelAnswer {
  if (!receipt) throw new Error(`expected cancelled operation ${operationId} to have a receipt, got none`);
  return { operationId, state: 'cancelled', receipt };
}
