import type { WorkerConfig } from '../src/config.ts';
import type { LiveContext } from '../src/context.ts';
import type { Progress } from '../src/domain/answers.ts';
import { isPermanent, Refusal, WriteConflict } from '../src/domain/errors.ts';
import { failedAttempt } from '../src/domain/stored-error.ts';
import { isEnded } from '../src/domain/operation.ts';
import { requestHash } from '../src/domain/requests.ts';
import {
  failWith,
  isOne,
  MovesTogether,
  operationJob,
  Overtaken,
  type QueuedLoads,
  parseOperationJob,
  runOperation,
  type SendingOrder,
  TransactionSizes,
  type Operation,
  type OneCommand,
  type OperationAnswer,
  type OperationQueue,
  type OperationRequest,
  type SliceResult,
} from '../src/operations/index.ts';
import { conflictCounts } from '../src/mongo/transaction.ts';
import type { AfterEnd } from './after-end.ts';
import { repairChanged } from './changed-job.ts';
import { failedWith, type Attempt, type Handler, type Outcome } from './executor.ts';
import { LiveChanges } from './live-changes.ts';
import type { Pace } from './pace.ts';
import { Permits } from './permits.ts';

/**
 * The operation that ends wakes the next one, and reconcile repairs a lost wake-up. So a waiting operation seldom checks by
 * itself: ten thousand of them would keep the workers busy.
 */
const SNOOZE_MS = 60 * 60 * 1_000;

/** How long an operation pauses while one that was sent earlier is not accepted. */
const SENT_EARLIER_MS = 500;

/** How long an operation pauses after an error that uses no attempt. */
const RETRY_SLICE_MS = 500;

/** The conflicts in one slice from which on an operation counts as slowed down. */
const SLOWED_DOWN_CONFLICTS_MIN = 20;

/** The operations that are remembered so that each is logged once. */
const SLOWED_DOWN_KEPT_MAX = 1_000;

/** What the handlers of operations and of claims share in a worker. */
export interface SharedByHandlers {
  readonly pace: Pace;
  readonly loads: QueuedLoads;
}

/** Works on an operation for one slice. */
export class OperationHandler implements Handler {
  readonly waitsForDatabase = true;
  private readonly context: LiveContext;
  private readonly afterEnd: AfterEnd;
  private readonly pace: Pace;
  private readonly config: WorkerConfig;
  private readonly order: SendingOrder;
  private readonly sizes: TransactionSizes;
  private readonly loads: QueuedLoads;
  private readonly moves: MovesTogether;
  private readonly live: LiveChanges;
  /** For operations that are no single moves. */
  private readonly permits: Permits;
  private readonly slowed = new Set<string>();

  constructor(
    context: LiveContext,
    queue: OperationQueue,
    afterEnd: AfterEnd,
    shared: SharedByHandlers,
    config: WorkerConfig,
  ) {
    this.context = context;
    this.afterEnd = afterEnd;
    this.pace = shared.pace;
    this.loads = shared.loads;
    this.config = config;
    this.order = queue.sendingOrder(context);
    this.sizes = new TransactionSizes(config.batchConversationsMax);
    this.moves = new MovesTogether(context);
    this.live = new LiveChanges(context.live);
    this.permits = new Permits(config.operationConcurrency);
  }

  async handle(attempt: Attempt): Promise<Outcome> {
    const slice = { madeProgress: false };
    const release = await this.permitOf(attempt);
    try {
      return await this.runSlice(attempt, () => (slice.madeProgress = true));
    } catch (error) {
      const repaired = await repairChanged(attempt, error, this.context.stores);
      if (repaired) return repaired;
      if (!isPermanent(error)) await this.order.noteReturn(attempt.job);
      if (!usesNoAttempt(error, slice)) throw error;
      attempt.log.warn({ err: error }, 'error in a slice, operation requeued without using an attempt');
      return { kind: 'requeued', delayMs: RETRY_SLICE_MS };
    } finally {
      release();
    }
  }

  /** A single move is written together with others, and waits for no bulk operation. */
  private async permitOf({ job }: Attempt): Promise<() => void> {
    const request = operationJob.safeParse(job.data).data?.request;
    return request && !isOne(request) ? this.permits.acquire(request.campaignId, job.timestamp) : () => undefined;
  }

  async noteReturn({ job }: Attempt): Promise<void> {
    await this.order.noteReturn(job);
  }

  async noteFailedAttempt({ job }: Attempt, error: Error): Promise<void> {
    const { request } = parseOperationJob(job.id ?? '', job.data);
    const attempt = failedAttempt(error, this.context.clock.now());
    await this.context.failures.note(request.operationId, requestHash(request), attempt);
  }

  async onAttemptsExhausted({ job }: Attempt, error: Error): Promise<void> {
    const { request } = parseOperationJob(job.id ?? '', job.data);
    const operation = await this.context.stores.operations.find(request.operationId);
    if (!operation || isEnded(operation.state) || operation.requestHash !== requestHash(request)) return;
    const failed = await failWith(this.context, operation, error);
    this.live.operation(failed);
    await this.afterEnd.wakeWaitingClaims(failed);
    await this.afterEnd.wakeNextOperation(failed);
  }

  private async runSlice({ job, log, signal, reportProgress }: Attempt, onProgress: () => void): Promise<Outcome> {
    const { request, sendId } = parseOperationJob(job.id ?? '', job.data);
    // The worker closes, and other jobs before this one had the permits until now.
    if (signal.aborted) {
      await this.order.noteReturn(job);
      return { kind: 'requeued', delayMs: 0 };
    }
    if (!(await this.order.mayRun(job, request, signal))) return { kind: 'requeued', delayMs: SENT_EARLIER_MS };
    const sliceEndsAt = performance.now() + this.config.sliceMs;
    const command = { request, requestHash: requestHash(request), sendId };
    const result = await runOperation(this.context, command, {
      limits: this.pace.limits(this.config),
      // A single move says nothing about the size that suits the campaign's bulk operations, and waits in no queue.
      ...(!isOne(request) && { transactionSize: this.sizes.of(request.campaignId), loads: this.loads }),
      moveOne: (one) => this.moveOne(one),
      ...(job.attemptsStarted === 1 && { firstRunSentAt: job.timestamp }),
      justAccepted: this.order.justAccepted(job),
      shouldStop: () => signal.aborted || performance.now() > sliceEndsAt,
      onAccepted: () => this.order.noteAccepted(job.id ?? ''),
      onClaimsEnded: (claimIds) => this.afterEnd.wakeEndedClaims(claimIds),
      ...this.live.duringSlice(request, (progress) => {
        onProgress();
        reportProgress(progress);
        this.logSlowedDown(request, progress, log);
      }),
    });
    this.live.afterSlice(result, job.attemptsStarted <= 1);
    if (job.attemptsStarted > 1) await this.order.forgetReturn(job.id ?? '', request);
    log.debug({ campaignId: request.campaignId, result: result.kind }, 'slice ended');
    await this.wakeAfter(result);
    return this.outcomeOf(result, log);
  }

  private async moveOne(one: OneCommand): Promise<Operation | undefined> {
    try {
      return await this.pace.answering(() => this.moves.move(one));
    } finally {
      this.loads.forget(one.request.campaignId);
    }
  }

  private async wakeAfter({ kind, operation }: SliceResult): Promise<void> {
    if (isOne(operation.request)) return this.afterEnd.wakeAfterMove(operation);
    await Promise.all([
      kind !== 'waiting' && this.afterEnd.wakeWaitingClaims(operation),
      kind === 'ended' && this.afterEnd.wakeNextOperation(operation),
    ]);
  }

  /** Logs once for each operation that other writers slow down. */
  private logSlowedDown({ operationId, campaignId }: OperationRequest, progress: Progress, log: Attempt['log']): void {
    if ((progress.conflicts ?? 0) < SLOWED_DOWN_CONFLICTS_MIN || this.slowed.has(operationId)) return;
    if (this.slowed.size >= SLOWED_DOWN_KEPT_MAX) this.slowed.clear();
    this.slowed.add(operationId);
    log.info({ campaignId, ...progress, conflictsOfProcess: conflictCounts() }, 'slowed down by other writers');
  }

  private outcomeOf({ kind, operation }: SliceResult, log: Attempt['log']): Outcome {
    switch (kind) {
      case 'unfinished':
        return { kind: 'requeued', delayMs: 0 };
      case 'waiting':
        return { kind: 'snoozed', delayMs: SNOOZE_MS, recheck: () => this.afterEnd.recheck(operation) };
      case 'ended':
        logEnd(operation, log);
        return operation.error ? failedWith(operation.error) : { kind: 'completed', result: answerOf(operation) };
    }
  }
}

/**
 * BullMQ counts attempts over the whole life of a job. An operation that makes progress between errors must not use them
 * up, and neither must one that waits until other programs have written the same conversations.
 */
function usesNoAttempt(error: unknown, { madeProgress }: { readonly madeProgress: boolean }): boolean {
  if (error instanceof Refusal) return false;
  return madeProgress || error instanceof Overtaken || error instanceof WriteConflict;
}

function logEnd(operation: Operation, log: Attempt['log']): void {
  const { campaignId, state, receipt, startedAt, endedAt } = operation;
  const durationMs = startedAt && endedAt ? endedAt.getTime() - startedAt.getTime() : undefined;
  const counts = { selected: receipt?.selected, moved: receipt?.moved, skipped: receipt?.skipped };
  log.info({ campaignId, kind: operation.request.kind, state, durationMs, ...counts }, 'operation ended');
  // Counted since the start of the process. `npm run bench:day` adds up the newest line of each worker.
  log.debug({ conflicts: conflictCounts() }, 'conflicts');
}

function answerOf({ operationId, createdBySendId, request, state, receipt }: Operation): OperationAnswer {
  if (!receipt || (state !== 'done' && state !== 'cancelled')) {
    throw new Error(`operation ${operationId} has no answer in state ${state}`);
  }
  const { traceparent } = request;
  return { operationId, createdBySendId, state, receipt, ...(traceparent !== undefined && { traceparent }) };
}
