import {
  type ClaimAnswer,
  type ClaimCoordinator,
  ClaimsDelayed,
  needsAnotherRound,
  parseClaimJob,
  parsePoolRefilledJob,
  POOL_REFILLED_JOB,
  type ServedClaim,
  snoozeDelayMs,
  toServedClaim,
} from '../src/claims/index.ts';
import type { WorkerContext } from '../src/worker-context.ts';
import { operationConflict } from '../src/domain/errors.ts';
import { failedAttempt } from '../src/domain/stored-error.ts';
import { requestHash } from '../src/domain/requests.ts';
import { repairChanged } from './changed-job.ts';
import { failedWith, type Attempt, type Handler, type Outcome } from './executor.ts';
import { LiveChanges } from './live-changes.ts';
import type { SharedByHandlers } from './operation-handler.ts';

/** How long a claim pauses after other writers were in the way of its round. */
const DELAYED_MS = 500;

/** Handles the jobs of the queue of claims: texters who ask for more conversations, and refilled pools. */
export class ClaimHandler implements Handler {
  readonly waitsForDatabase = true;
  private readonly context: WorkerContext;
  private readonly coordinator: ClaimCoordinator;
  private readonly pace: SharedByHandlers['pace'];
  private readonly loads: SharedByHandlers['loads'];
  private readonly live: LiveChanges;

  constructor(context: WorkerContext, { pace, loads }: SharedByHandlers) {
    this.context = context;
    this.coordinator = context.coordinator;
    this.pace = pace;
    this.loads = loads;
    this.live = new LiveChanges(context.live);
  }

  async handle(attempt: Attempt): Promise<Outcome> {
    try {
      return await this.serve(attempt);
    } catch (error) {
      const repaired = await repairChanged(attempt, error, this.context.stores);
      if (repaired) return repaired;
      if (!(error instanceof ClaimsDelayed)) throw error;
      attempt.log.warn({ err: error }, 'claim delayed by other writers, requeued');
      return { kind: 'requeued', delayMs: DELAYED_MS };
    }
  }

  private async serve(attempt: Attempt): Promise<Outcome> {
    if (attempt.job.name === POOL_REFILLED_JOB) return this.serveWaiting(attempt);
    const { request, sendId } = parseClaimJob(attempt.job.id ?? '', attempt.job.data);
    const hash = requestHash(request);
    const stored = await this.findStored(request.operationId, attempt);
    const submit = () => this.coordinator.submit({ request, requestHash: hash, sendId });
    const served = stored ?? (await this.pace.answering(submit));
    this.loads.forget(request.campaignId);
    if (served.requestHash !== hash) throw operationConflict(served.operationId);
    return this.outcomeOf(served, attempt, stored === undefined);
  }

  async noteFailedAttempt({ job }: Attempt, error: Error): Promise<void> {
    if (job.name === POOL_REFILLED_JOB) return;
    const { request } = parseClaimJob(job.id ?? '', job.data);
    const attempt = failedAttempt(error, this.context.clock.now());
    await this.context.failures.note(request.operationId, requestHash(request), attempt);
  }

  private async serveWaiting({ job }: Attempt): Promise<Outcome> {
    const { campaignId } = parsePoolRefilledJob(job.data);
    const { stores, endedClaims, blockedClaims } = this.context;
    await endedClaims.wake(await stores.claims.endRefused(campaignId));
    if (await stores.claims.hasClaimable(campaignId)) await blockedClaims.check(campaignId);
    await this.coordinator.serveWaiting(campaignId);
    this.loads.forget(campaignId);
    return { kind: 'completed', result: null };
  }

  /** Finds the claim of a job that was started before. A first start skips the query, because its claim is new. */
  private async findStored(operationId: string, { job }: Attempt): Promise<ServedClaim | undefined> {
    if (job.attemptsStarted <= 1) return undefined;
    const claims = this.context.stores.claims;
    const claim = await claims.find(operationId);
    const isOver = claim?.waiting && claim.waiting.until <= this.context.clock.now();
    const current = isOver ? await claims.endWaiting(operationId, { isByOwnJob: true }) : claim;
    // It may have ended without a round: at its deadline, or because of a changed rule.
    if (current && !current.waiting) this.live.operation(current);
    return current && toServedClaim(current);
  }

  private outcomeOf(served: ServedClaim, attempt: Attempt, isNew: boolean): Outcome {
    const { waitsUntilMs, receipt, error } = served;
    if (waitsUntilMs !== null) {
      const delayMs = snoozeDelayMs(waitsUntilMs, this.context.clock.now().getTime());
      return { kind: 'snoozed', delayMs, recheck: () => this.recheck(attempt, isNew) };
    }
    if (error) return failedWith(error);
    const { moved, asked, shortBecause } = receipt ?? {};
    attempt.log.info({ moved, asked, shortBecause }, 'claim answered');
    return { kind: 'completed', result: answerOf(served) };
  }

  private async recheck({ job }: Attempt, isNew: boolean): Promise<void> {
    const { operationId, campaignId } = parseClaimJob(job.id ?? '', job.data).request;
    const { stores, endedClaims } = this.context;
    const mayHaveMissed = isNew || needsAnotherRound(job.attemptsStarted);
    if (mayHaveMissed && (await stores.claims.hasClaimable(campaignId)))
      await this.coordinator.serveWaiting(campaignId);
    const claim = await stores.claims.find(operationId);
    if (!claim?.waiting) await endedClaims.wake([operationId]);
  }
}

function answerOf({ operationId, createdBySendId, requestHash: hash, granted, receipt }: ServedClaim): ClaimAnswer {
  if (!receipt) throw new Error(`claim ${operationId} ended without a receipt`);
  return { operationId, createdBySendId, requestHash: hash, conversationIds: granted, receipt };
}
