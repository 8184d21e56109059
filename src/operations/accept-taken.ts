import { requestHash } from '../domain/requests.ts';
import { needsCampaignLock } from './kinds.ts';
import { operationJob } from './jobs.ts';
import { refusalAtAcceptance, type LifecycleDeps } from './lifecycle.ts';
import { newOperation, type OperationCommand } from './operation.ts';
import { readsOfRound } from './reads-of-round.ts';
import type { SentJob, SentJobs } from './sent-jobs.ts';

/** How many operations one transaction accepts. */
const TOGETHER_MAX = 100;

/**
 * Accepts the bulk operations of a campaign whose jobs workers have taken, in the order in which they were sent and in one
 * transaction. Otherwise each job would wait until the one before it was accepted. The jobs find their operations accepted.
 */
export class AcceptanceOfTaken {
  private readonly deps: LifecycleDeps;
  private readonly jobs: SentJobs;
  /** The campaigns whose operations are being accepted. */
  private readonly accepting = new Map<string, Promise<boolean>>();

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

  private async acceptOnce(own: SentJob): Promise<boolean> {
    const taken = await this.jobs.taken(own);
    const { operations } = this.deps.stores;
    const known = await operations.acceptedAmong(taken.map(({ operationId }) => operationId));
    if (known.get(own.operationId) === 'accepted') return true;
    // One that was refused may have been sent again. Only its own job knows.
    if ([...known.values()].includes('resendable')) return false;
    const unaccepted = taken.filter(({ operationId }) => !known.has(operationId)).slice(0, TOGETHER_MAX);
    const commands = await this.read(unaccepted);
    if (commands.length < 2 || !commands.some(({ request }) => request.operationId === own.operationId)) return false;
    return operations.acceptMany(await this.newOperations(commands));
  }

  /** Leaves out jobs that will not run, and those that no worker can accept. */
  private async read(jobs: readonly SentJob[]): Promise<OperationCommand[]> {
    const read = await Promise.all(
      jobs.map(async ({ jobId, operationId, isActive }) => {
        if (!isActive && !(await this.jobs.willRun(jobId))) return undefined;
        const { data: job } = operationJob.safeParse(await this.jobs.readData(jobId));
        const isAcceptable = job?.request.operationId === operationId && needsCampaignLock(job.request);
        return isAcceptable ? { ...job, requestHash: requestHash(job.request) } : undefined;
      }),
    );
    return read.flatMap((command) => command ?? []);
  }

  private async newOperations(commands: readonly OperationCommand[]) {
    const { clock } = this.deps;
    const stores = readsOfRound(this.deps.stores, []);
    return Promise.all(
      commands.map(async (command) => ({
        ...newOperation(command, clock.now()),
        error: await refusalAtAcceptance(stores, command.request),
      })),
    );
  }
}
