import type { EndedClaims } from '../src/claims/index.ts';
import type { LiveContext } from '../src/context.ts';
import {
  cancel,
  isClaim,
  parseCancelJob,
  type CancelAnswer,
  type OperationOrClaim,
  type OperationQueue,
} from '../src/operations/index.ts';
import type { AfterEnd } from './after-end.ts';
import type { Attempt, Handler, Outcome } from './executor.ts';
import { LiveChanges } from './live-changes.ts';

/** Cancels operations and waiting claims. */
export class CancelHandler implements Handler {
  private readonly context: LiveContext;
  private readonly operations: OperationQueue;
  private readonly claims: EndedClaims;
  private readonly afterEnd: AfterEnd;

  constructor(context: LiveContext, operations: OperationQueue, claims: EndedClaims, afterEnd: AfterEnd) {
    this.context = context;
    this.operations = operations;
    this.claims = claims;
    this.afterEnd = afterEnd;
  }

  async handle({ job, log }: Attempt): Promise<Outcome> {
    const { request } = parseCancelJob(job.data);
    const findSent = (operationId: string) => this.operations.findSent(operationId);
    const cancelled = await cancel({ ...this.context, findSent }, request);
    new LiveChanges(this.context.live).operation(cancelled);
    await this.wakeWaiting(cancelled);
    const { operationId, campaignId, receipt } = cancelled;
    log.info({ operationId, campaignId, moved: receipt?.moved, left: receipt?.left }, 'operation cancelled');
    return { kind: 'completed', result: answerOf(cancelled) };
  }

  /** Wakes the cancelled job, so that its sender gets the answer, and the jobs that waited for it. */
  private async wakeWaiting(cancelled: OperationOrClaim): Promise<void> {
    if (isClaim(cancelled)) return this.claims.wake([cancelled.operationId]);
    await this.operations.wake(cancelled);
    await this.afterEnd.wakeWaitingClaims(cancelled);
    await this.afterEnd.wakeNextOperation(cancelled);
  }
}

function answerOf({ operationId, receipt }: OperationOrClaim): CancelAnswer {
  if (!receipt) throw new Error(`cancelled operation ${operationId} has no receipt`);
  return { operationId, state: 'cancelled', receipt };
}
