import type { Context } from '../src/context.ts';
import { operationConflict } from '../src/domain/errors.ts';
import { failedAttempt } from '../src/domain/failed-attempt.ts';
import { type ClaimCoordinator, type ClaimQueue, type Served, servedOf } from '../src/claims/index.ts';
import { type ClaimAnswer, parseClaimJob, parsePoolRefilledJob, POOL_REFILLED_JOB } from '../src/claims/index.ts';
import { requestHash } from '../src/domain/request-hash.ts';
import type { Attempt, Handler } from './executor.ts';
import { failedWith, type Outcome } from './outcome.ts';
import type { Pace } from './pace.ts';

/**
 * A waiting claim's job is woken by the round that completes it; should that get lost, it looks at its own record this
 * often.
 */
const SNOOZE_MS_MAX = 10_000;
const LOOKS_MAX = 2;

/** Answers texters who ask for more. */
export class ClaimHandler implements Handler {
  private readonly context: Context;
  private readonly coordinator: ClaimCoordinator;
  private readonly queue: ClaimQueue;
  private readonly pace: Pace;

  constructor(context: Context, coordinator: ClaimCoordinator, queue: ClaimQueue, pace: Pace) {
    this.context = context;
    this.coordinator = coordinator;
    this.queue = queue;
    this.pace = pace;
  }

  async handle(attempt: Attempt): Promise<Outcome> {
    if (attempt.job.name === POOL_REFILLED_JOB) return this.look(attempt);
    const { request, sendId } = parseClaimJob(attempt.job.id ?? '', attempt.job.data);
    const hash = requestHash(request);
    this.pace.noteInteractiveRequest();
    const known = await this.known(request.operationId, attempt);
    const served = known ?? (await this.coordinator.submit({ request, requestHash: hash, sendId }));
    if (served.requestHash === hash) return this.outcomeOf(served, attempt);
    throw operationConflict(served.operationId);
  }

  async noteFailure({ job }: Attempt, error: Error): Promise<void> {
    if (job.name === POOL_REFILLED_JOB) return;
    const { request } = parseClaimJob(job.id ?? '', job.data);
    const attempt = failedAttempt(error, this.context.clock.now());
    await this.context.failures.note(request.operationId, requestHash(request), attempt);
  }

  async recordFailure(): Promise<void> {
    // Nothing was granted, or it is in the ledger: the texter asks again, by the same id or a new one.
  }

  private async look({ job }: Attempt): Promise<Outcome> {
    await this.coordinator.look(parsePoolRefilledJob(job.data).campaignId);
    return { kind: 'completed', answer: null };
  }

  /** A job that was here before has, as a rule, left its claim in the ledger; a new one has not, and is not looked for. */
  private async known(operationId: string, { job }: Attempt): Promise<Served | undefined> {
    if (job.attemptsStarted <= 1) return undefined;
    const claim = await this.context.stores.claims.find(operationId);
    if (!claim) return undefined;
    const served = servedOf(claim);
    if (served.waitsUntil === null || served.waitsUntil > this.now()) return served;
    const ended = await this.context.stores.claims.endWaiting(claim.operationId);
    return ended && servedOf(ended);
  }

  private outcomeOf(served: Served, attempt: Attempt): Outcome {
    const { waitsUntil, receipt, error } = served;
    if (waitsUntil !== null) {
      return {
        kind: 'snoozed',
        delayMs: Math.min(Math.max(0, waitsUntil - this.now()), SNOOZE_MS_MAX),
        recheck: () => this.recheck(attempt),
      };
    }
    if (error) return failedWith(error);
    attempt.log.info(
      { moved: receipt?.moved, asked: receipt?.asked, shortBecause: receipt?.shortBecause },
      'claim answered',
    );
    return { kind: 'completed', answer: answerOf(served) };
  }

  private now(): number {
    return this.context.clock.now().getTime();
  }

  /**
   * Conversations may have come back while it was getting ready to wait: one look at the pool, and one more should this
   * worker die in it. After that somebody says so when they come: the pool is not polled.
   */
  private async recheck({ job }: Attempt): Promise<void> {
    const { operationId, campaignId } = parseClaimJob(job.id ?? '', job.data).request;
    if (job.attemptsStarted <= LOOKS_MAX) await this.coordinator.look(campaignId);
    const claim = await this.context.stores.claims.find(operationId);
    if (!claim?.waiting) await this.queue.wake(operationId);
  }
}

function answerOf({ operationId, createdBySendId, requestHash: hash, granted, receipt }: Served): ClaimAnswer {
  if (!receipt) throw new Error(`expected claim ${operationId} to have ended with a receipt, got none`);
  return { operationId, createdBySendId, requestHash: hash, conversationIds: granted, receipt };
}
