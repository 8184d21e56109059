import { z } from 'zod';
import type { EndedClaims } from '../src/claims/index.ts';
import type { LiveContext } from '../src/context.ts';
import {
  cancel,
  cancelQueued,
  findQueued,
  isClaim,
  parseCancelJob,
  parseCancelQueuedJob,
  type CancelAnswer,
  type CancelledQueue,
  type CancelQueuedAnswer,
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

const progressOfJob = z.object({ queue: z.object({ first: z.int(), last: z.int(), at: z.coerce.date() }) });

/** Cancels the operations of a campaign that wait. */
export class CancelQueuedHandler implements Handler {
  private readonly context: LiveContext;
  private readonly operations: OperationQueue;

  constructor(context: LiveContext, operations: OperationQueue) {
    this.context = context;
    this.operations = operations;
  }

  async handle({ job, log }: Attempt): Promise<Outcome> {
    const { request } = parseCancelQueuedJob(job.data);
    const { campaignId } = request;
    const queue = queueOf(job.progress) ?? (await findQueued(this.context, request));
    // Stored with the job: a worker that continues after a crash covers the same operations.
    if (queue) await job.updateProgress({ queue });
    const cancelled = queue ? await this.cancelAll(request, queue) : 0;
    log.info({ campaignId, cancelled }, 'waiting operations cancelled');
    const result: CancelQueuedAnswer = { campaignId, cancelled };
    return { kind: 'completed', result };
  }

  /** Wakes the job of each cancelled operation, so that its sender gets the answer. */
  private async cancelAll(request: Parameters<typeof cancelQueued>[1], queue: CancelledQueue): Promise<number> {
    const live = new LiveChanges(this.context.live);
    let count = 0;
    for await (const cancelled of cancelQueued(this.context, request, queue)) {
      for (const operation of cancelled) live.operation(operation);
      await Promise.all(cancelled.map((operation) => this.operations.wake(operation)));
      count += cancelled.length;
    }
    return count;
  }
}

function queueOf(progress: unknown): CancelledQueue | undefined {
  return progressOfJob.safeParse(progress).data?.queue;
}
