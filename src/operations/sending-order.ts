import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job } from 'bullmq';
import { RESENDABLE_CODES } from '../domain/errors.ts';
import { isEnded } from '../domain/operation.ts';
import type { AcceptanceOfTaken } from './accept-taken.ts';
import { isOne, type OperationRequest } from './contract.ts';
import type { OperationStore } from './ports.ts';
import type { JustAccepted } from './run.ts';
import { contentOf, orderedJob, subjectOf } from './jobs.ts';
import type { SentJob, SentJobs } from './sent-jobs.ts';

/** An earlier job is usually accepted within milliseconds. A longer wait would occupy the worker. */
const WAIT_MS_MAX = 500;
const RECHECK_MS_MIN = 5;
const RECHECK_MS_MAX = 40;
/** After so many runs a job no longer waits for earlier ones: one that fails again and again must not block the others. */
const RUNS_IN_ORDER_MAX = 60;
const RESENDABLE: readonly (string | undefined)[] = RESENDABLE_CODES;

/**
 * Lets operations be accepted in the order in which a producer sent them. Several workers take jobs from the queue at once,
 * so a later job can reach the database first. Of one producer, no two jobs have the same time of sending; see
 * `queue/sender.ts`. Jobs of different producers may, and then neither waits.
 *
 * Only Redis knows this order. If Redis loses it, no job waits.
 */
export class SendingOrder {
  private readonly jobs: SentJobs;
  private readonly operations: Pick<OperationStore, 'find'>;
  private readonly acceptance: AcceptanceOfTaken;
  /** Emits the id of each job of this process whose operation is accepted. */
  private readonly accepted = new EventEmitter().setMaxListeners(0);

  constructor(jobs: SentJobs, operations: Pick<OperationStore, 'find'>, acceptance: AcceptanceOfTaken) {
    this.jobs = jobs;
    this.operations = operations;
    this.acceptance = acceptance;
  }

  /**
   * Accepts what workers have taken of the campaign, or waits a moment for the jobs that were sent earlier. Returns false when
   * one of them is not accepted by then: the job has to go back to the queue and run again.
   */
  async mayRun(job: Job, request: OperationRequest, signal: AbortSignal): Promise<boolean> {
    const own = { ...contentOf(request), jobId: job.id ?? '', sentAt: job.timestamp, isActive: true };
    // Otherwise every other job of this process would read it.
    this.jobs.keep(own);
    // A stalled job may have lost its worker before it was accepted, and nobody has noted its return.
    const ranBefore = job.attemptsStarted > 1 && job.stalledCounter === 0;
    if (ranBefore && !(await this.jobs.returned.has(own))) return true;
    if (job.attemptsStarted > RUNS_IN_ORDER_MAX) return true;
    if (!isOne(request) && (await this.acceptance.accept(own))) return true;
    const until = performance.now() + WAIT_MS_MAX;
    let earlier = await this.findEarlier(own);
    for (let delayMs = RECHECK_MS_MIN; earlier; delayMs = Math.min(2 * delayMs, RECHECK_MS_MAX)) {
      if (signal.aborted || performance.now() > until) {
        await Promise.all([this.jobs.returned.add(own), this.jobs.returned.add(earlier)]);
        return false;
      }
      await this.acceptedOrAfter(earlier, delayMs);
      earlier = (await this.findEarlier(own)) ?? (await this.stillWaits(earlier));
    }
    return true;
  }

  /** Returns the operation of a job that may run, if this process has just accepted it together with others. */
  justAccepted({ id = '', timestamp }: Pick<Job, 'id' | 'timestamp'>): JustAccepted | undefined {
    return this.acceptance.take({ jobId: id, sentAt: timestamp });
  }

  /** Call it when the operation of a job of this process is accepted. The jobs that wait for it continue at once. */
  noteAccepted(jobId: string): void {
    this.accepted.emit(acceptedEvent(jobId));
  }

  /** Call it when a job was not accepted and will run again, before it leaves the list of active jobs. */
  async noteReturn({ id = '', data, timestamp }: Pick<Job, 'id' | 'data' | 'timestamp'>): Promise<void> {
    const { request } = orderedJob.safeParse(data).data ?? {};
    if (request) await this.jobs.returned.add({ jobId: id, subject: subjectOf(request), sentAt: timestamp });
  }

  /** Call it when the operation of a job is accepted. */
  async forgetReturn(jobId: string, request: OperationRequest): Promise<void> {
    await this.jobs.returned.remove({ jobId, subject: subjectOf(request) });
  }

  /**
   * Finds the newest earlier job that can still run, unless it is accepted. If it is accepted, all jobs before it are.
   */
  private async findEarlier(own: SentJob): Promise<SentJob | undefined> {
    for (const sent of await this.jobs.earlierThan(own)) {
      const end = await this.endOf(sent);
      if (end !== 'gone') return end === 'unaccepted' ? sent : undefined;
    }
    return undefined;
  }

  private async acceptedOrAfter({ jobId }: SentJob, delayMs: number): Promise<void> {
    const waiting = new AbortController();
    const { signal } = waiting;
    await Promise.race([sleep(delayMs, undefined, { signal }), once(this.accepted, acceptedEvent(jobId), { signal })]);
    waiting.abort();
  }

  /** The worker of a job may have died: the job then leaves the list of active jobs, and another worker takes it. */
  private async stillWaits(earlier: SentJob): Promise<SentJob | undefined> {
    return (await this.endOf({ ...earlier, isActive: false })) === 'unaccepted' ? earlier : undefined;
  }

  /** Forgets a returned job that is accepted, or that will not run any more. */
  private async endOf(sent: SentJob): Promise<'accepted' | 'gone' | 'unaccepted'> {
    const isAccepted = await this.isAccepted(sent.operationId);
    if (!isAccepted && (sent.isActive || (await this.jobs.willRun(sent.jobId)))) return 'unaccepted';
    await this.jobs.returned.remove(sent);
    return isAccepted ? 'accepted' : 'gone';
  }

  /**
   * A single move takes no campaign lock, so the next one of the conversation waits until it has ended. A refusal that
   * depends on the moment may be of an earlier job: this one can still be accepted.
   */
  private async isAccepted(operationId: string): Promise<boolean> {
    const operation = await this.operations.find(operationId);
    if (!operation || RESENDABLE.includes(operation.error?.code)) return false;
    return !isOne(operation.request) || isEnded(operation.state);
  }
}

/** Emitters treat an event with the name `error` in another way. */
function acceptedEvent(jobId: string): string {
  return `accepted ${jobId}`;
}
