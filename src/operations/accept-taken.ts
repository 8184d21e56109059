import { Refusal } from '../domain/errors.ts';
import { requestHash } from '../domain/requests.ts';
import { needsCampaignLock } from './kinds.ts';
import { parseOperationJob, subjectOf } from './jobs.ts';
import { refusalAtAcceptance, type LifecycleDeps } from './lifecycle.ts';
import type { JustAccepted } from './run.ts';
import { newOperation, type Operation, type OperationCommand } from './operation.ts';
import type { Stores } from './ports.ts';
import { readsOfRound } from './reads-of-round.ts';
import type { SentJob, SentJobs } from './sent-jobs.ts';

/** How many operations one transaction accepts. */
const TOGETHER_MAX = 100;
/** How long an operation is kept until its job asks. It is kept in vain when another worker runs the job. */
const KEPT_MS = 10_000;

/** A job, and the operation that it sends. */
interface TakenJob extends Pick<SentJob, 'jobId' | 'sentAt'> {
  readonly command: OperationCommand;
}

/**
 * Accepts the bulk operations of a campaign whose jobs workers have taken, in the order in which they were sent and in one
 * transaction. Otherwise each job would wait until the one before it was accepted. The jobs find their operations accepted.
 */
export class AcceptanceOfTaken {
  private readonly deps: LifecycleDeps;
  private readonly jobs: SentJobs;
  /** The campaigns whose operations are being accepted. */
  private readonly accepting = new Map<string, Promise<boolean>>();
  /** The operations that this process has accepted together, until their jobs ask for them. */
  private readonly accepted = new Map<string, JustAccepted>();

  constructor(deps: LifecycleDeps, jobs: SentJobs) {
    this.deps = deps;
    this.jobs = jobs;
  }

  /**
   * Returns true when the own operation is accepted now. Returns false when it has to be accepted alone, after those that were
   * sent before it.
   */
  async accept(own: SentJob): Promise<boolean> {
    const before = this.accepting.get(own.subject);
    if (before) {
      await before.catch(() => undefined);
      return this.acceptOnce(own);
    }
    const accepting = this.acceptOnce(own).finally(() => this.accepting.delete(own.subject));
    this.accepting.set(own.subject, accepting);
    return accepting;
  }

  /** Returns the operation of a job if this process has accepted it together with others. Each job asks once. */
  take(job: Pick<SentJob, 'jobId' | 'sentAt'>): JustAccepted | undefined {
    const accepted = this.accepted.get(keyOf(job));
    this.accepted.delete(keyOf(job));
    return accepted;
  }

  private async acceptOnce(own: SentJob): Promise<boolean> {
    if (this.accepted.has(keyOf(own))) return true;
    const taken = await this.jobs.taken(own);
    if (!taken) return false;
    const { operations } = this.deps.stores;
    const known = await operations.acceptedAmong(taken.map(({ operationId }) => operationId));
    if (known.get(own.operationId) === 'accepted') return true;
    // One that was refused may have been sent again. Only its own job knows.
    if ([...known.values()].includes('resendable')) return false;
    const unaccepted = taken.filter(({ operationId }) => !known.has(operationId)).slice(0, TOGETHER_MAX);
    const jobs = await this.read(unaccepted, own.subject);
    if (jobs.length < 2 || !(await this.acceptTogether(jobs))) return false;
    return jobs.some(({ command }) => command.request.operationId === own.operationId);
  }

  /** Any error may be of one operation only. Each is accepted alone then, and the error is of the job that it belongs to. */
  private async acceptTogether(jobs: readonly TakenJob[]): Promise<boolean> {
    const stores = readsOfRound(this.deps.stores);
    try {
      const accepted = await stores.operations.acceptMany(await this.newOperations(stores, jobs));
      if (!accepted) return false;
      this.keep(stores, jobs, accepted);
      return true;
    } catch {
      return false;
    }
  }

  private keep(reads: Stores, jobs: readonly TakenJob[], accepted: readonly Operation[]): void {
    for (const [at, job] of jobs.entries()) {
      const operation = accepted[at];
      if (operation) this.accepted.set(keyOf(job), { operation, reads });
    }
    const forget = (): void => jobs.forEach((job) => this.accepted.delete(keyOf(job)));
    setTimeout(forget, KEPT_MS).unref();
  }

  /** Reads the jobs again, in the order of sending: the id of an ended job may be used for another request meanwhile. */
  private async read(jobs: readonly SentJob[], subject: string): Promise<TakenJob[]> {
    const read = await Promise.all(jobs.map((job) => this.readOne(job, subject)));
    return read.flatMap((each) => each ?? []).sort((a, b) => a.sentAt - b.sentAt);
  }

  /** Returns `undefined` for a job that will not run, and for one that its own worker would refuse. */
  private async readOne({ jobId, isActive, ...sent }: SentJob, subject: string): Promise<TakenJob | undefined> {
    if (!isActive && !(await this.jobs.willRun(jobId)))
      return void (await this.jobs.returned.remove({ ...sent, jobId }));
    const now = await this.jobs.readNow(jobId);
    if (!now) return undefined;
    try {
      const job = parseOperationJob(jobId, now.data);
      const isOfSubject = subjectOf(job.request) === subject && needsCampaignLock(job.request);
      const command = { request: job.request, sendId: job.sendId, requestHash: requestHash(job.request) };
      return isOfSubject ? { command, jobId, sentAt: now.sentAt } : undefined;
    } catch (error) {
      if (error instanceof Refusal) return undefined;
      throw error;
    }
  }

  /** Their times differ, because `baton retry` reopens failed operations in the order of these times. */
  private async newOperations(stores: Stores, jobs: readonly TakenJob[]) {
    const first = this.deps.clock.now().getTime() - jobs.length + 1;
    return Promise.all(
      jobs.map(async ({ command }, at) => ({
        ...newOperation(command, new Date(first + at)),
        error: await refusalAtAcceptance(stores, command.request),
      })),
    );
  }
}

/** The id of an ended job may be used again, for a job with another time. */
function keyOf({ jobId, sentAt }: Pick<SentJob, 'jobId' | 'sentAt'>): string {
  return `${sentAt} ${jobId}`;
}
