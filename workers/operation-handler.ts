import {
  failWith,
  isOne,
  type Operation,
  type OperationQueue,
  Overtaken,
  perform,
  type Performed,
} from '../src/operations/index.ts';
import type { WorkerConfig } from '../src/config.ts';
import type { Context } from '../src/context.ts';
import { Refusal } from '../src/domain/errors.ts';
import { failedAttempt } from '../src/domain/failed-attempt.ts';
import { isEnded } from '../src/domain/operation.ts';
import { type OperationAnswer, parseOperationJob } from '../src/operations/index.ts';
import { requestHash } from '../src/domain/request-hash.ts';
import type { AfterEnd } from './after-end.ts';
import { failedWith, type Attempt, type Handler, type Outcome } from './executor.ts';
import type { Pace } from './pace.ts';

/** A waiting operation is woken by the one that ends before it; this long after, it looks who that is, and wakes it. */
const SNOOZE_MS_MAX = 30_000;

/** How long an operation that got on before its slice was cut short waits before it is gone on with. */
const CUT_SHORT_MS = 500;

/** Carries an operation on by one slice. */
export class OperationHandler implements Handler {
  private readonly context: Context;
  private readonly queue: OperationQueue;
  private readonly afterEnd: AfterEnd;
  private readonly pace: Pace;
  private readonly config: WorkerConfig;

  constructor(context: Context, queue: OperationQueue, afterEnd: AfterEnd, pace: Pace, config: WorkerConfig) {
    this.context = context;
    this.queue = queue;
    this.afterEnd = afterEnd;
    this.pace = pace;
    this.config = config;
  }

  async handle(attempt: Attempt): Promise<Outcome> {
    const slice = { hasMoved: false };
    try {
      return await this.carryOn(attempt, () => (slice.hasMoved = true));
    } catch (error) {
      // Attempts are counted over its whole life: a long operation that gets on, by this worker or by another, would use
      // them up, one fault after another.
      const gotOn = slice.hasMoved || error instanceof Overtaken;
      if (!gotOn || error instanceof Refusal) throw error;
      attempt.log.warn({ err: error }, 'slice cut short, to be gone on with');
      return { kind: 'requeued', delayMs: CUT_SHORT_MS };
    }
  }

  private async carryOn({ job, log, signal, reportProgress }: Attempt, onMoved: () => void): Promise<Outcome> {
    const { request, sendId } = parseOperationJob(job.id ?? '', job.data);
    const sliceEndsAt = performance.now() + this.config.sliceMs;
    if (isOne(request)) this.pace.noteSomebody();
    const performed = await perform(
      this.context,
      { request, requestHash: requestHash(request), sendId },
      {
        limits: this.pace.limits(this.config),
        shouldStop: () => signal.aborted || performance.now() > sliceEndsAt,
        onProgress: (progress) => {
          onMoved();
          reportProgress(progress);
        },
      },
    );
    log.debug({ campaignId: request.campaignId, performed: performed.kind }, 'slice ended');
    if (performed.kind !== 'waiting') await this.afterEnd.tellWhoWaits(performed.operation);
    if (performed.kind === 'ended') await this.afterEnd.wakeNext(performed.operation);
    return this.outcomeOf(performed, log);
  }

  async noteFailure({ job }: Attempt, error: Error): Promise<void> {
    const { request } = parseOperationJob(job.id ?? '', job.data);
    const attempt = failedAttempt(error, this.context.clock.now());
    await this.context.failures.note(request.operationId, requestHash(request), attempt);
  }

  async recordFailure({ job }: Attempt, error: Error): Promise<void> {
    const { request } = parseOperationJob(job.id ?? '', job.data);
    const operation = await this.context.stores.operations.find(request.operationId);
    if (!operation || isEnded(operation.state) || operation.requestHash !== requestHash(request)) return;
    const failed = await failWith(this.context, operation, error);
    await this.afterEnd.tellWhoWaits(failed);
    await this.afterEnd.wakeNext(failed);
  }

  private outcomeOf({ kind, operation }: Performed, log: Attempt['log']): Outcome {
    switch (kind) {
      case 'requeued':
        return { kind, delayMs: 0 };
      case 'waiting':
        return {
          kind: 'snoozed',
          delayMs: SNOOZE_MS_MAX,
          recheck: () => this.recheck(operation),
        };
      case 'ended':
        logEnd(operation, log);
        return operation.error ? failedWith(operation.error) : { kind: 'completed', result: answerOf(operation) };
    }
  }

  /** It may have been cancelled while it was getting ready to wait; or it is its turn by now, or a lost one's. */
  private async recheck(operation: Operation): Promise<void> {
    const standing = await this.context.stores.operations.find(operation.operationId);
    if (standing && isEnded(standing.state)) await this.queue.wake(standing);
    await this.afterEnd.wakeNext(operation);
  }
}

function logEnd(operation: Operation, log: Attempt['log']): void {
  const { campaignId, state, receipt, startedAt, endedAt } = operation;
  const durationMs = startedAt && endedAt ? endedAt.getTime() - startedAt.getTime() : undefined;
  const counts = { selected: receipt?.selected, moved: receipt?.moved, skipped: receipt?.skipped };
  log.info({ campaignId, kind: operation.request.kind, state, durationMs, ...counts }, 'operation ended');
}

function answerOf({ operationId, createdBySendId, state, receipt }: Operation): OperationAnswer {
  if (!receipt || (state !== 'done' && state !== 'cancelled')) {
    throw new Error(`expected operation ${operationId} to have ended with a receipt, got state ${state}`);
  }
  return { operationId, createdBySendId, state, receipt };
}
