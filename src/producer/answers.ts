import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { JobsOptions } from 'bullmq';
import type { ClaimJob } from '../claims/contract.ts';
import type { FoundOperation, WaitOptions } from '../domain/answers.ts';
import { JobFailed, ProducerClosed, WaitTimeout } from '../domain/errors.ts';
import { isEnded } from '../domain/operation.ts';
import { requestHash } from '../domain/requests.ts';
import { parseFailureText, toFailureText } from '../domain/stored-error.ts';
import { type OperationJob, FIND_JOB, FIND_JOB_OPTIONS, newFindJob } from '../operations/jobs.ts';
import { jobIdOf } from '../queue/job.ts';
import { newClosing } from '../queue/reachable.ts';
import { JobForgotten } from '../queue/result-waiter.ts';
import { DEFAULT_WAIT_MS, type Sender } from '../queue/sender.ts';
import type { OperationResult } from './producer-port.ts';

/** How long a caller whose job is gone waits for the answer of a worker. */
const ASK_MS_MAX = 5_000;
/** How often a worker is asked about an operation that has no job in the queue. */
const ASK_AGAIN_MS = 1_000;

/** The answers to operations and claims: from their jobs, or from the database when the queue has forgotten the job. */
export class Answers {
  private readonly senders: readonly Sender[];
  private readonly controls: Sender;
  private readonly closed = newClosing();

  /** `senders` send to the queues of operations and of claims, `controls` to the queue of questions. */
  constructor(senders: readonly Sender[], controls: Sender) {
    this.senders = senders;
    this.controls = controls;
  }

  /** The queue forgets jobs that have ended. The database keeps their operations longer. */
  async wait(sender: Sender, operationId: string, wait?: Partial<WaitOptions>): Promise<Answer> {
    try {
      return (await sender.wait(jobIdOf(operationId), wait)) as Answer;
    } catch (error) {
      if (!(error instanceof JobForgotten)) throw error;
      if (this.closed.signal.aborted) throw new ProducerClosed();
      const found = await this.get(operationId, { waitMs: ASK_MS_MAX }).catch(() => undefined);
      const answer = found && storedAnswer(found);
      if (!answer) throw error;
      return answer;
    }
  }

  async get(operationId: string, wait?: Partial<WaitOptions>): Promise<FoundOperation> {
    const { jobId } = await this.controls.send(FIND_JOB, newFindJob(operationId), withNewId(FIND_JOB_OPTIONS));
    return (await this.controls.wait(jobId, wait)) as FoundOperation;
  }

  async result(
    operationId: string,
    { waitMs = DEFAULT_WAIT_MS, onProgress }: Partial<WaitOptions> = {},
  ): Promise<OperationResult> {
    const endsAt = performance.now() + waitMs;
    for (;;) {
      const left = { waitMs: Math.max(0, endsAt - performance.now()), onProgress };
      const answer = await this.findAnswer(operationId, left);
      if (answer) return toResult(operationId, answer);
      if (endsAt - performance.now() < ASK_AGAIN_MS) throw new WaitTimeout(jobIdOf(operationId), waitMs);
      await this.pause();
    }
  }

  /** Ends the pauses between questions to the workers. */
  close(): void {
    this.closed.abort();
  }

  private async pause(): Promise<void> {
    await delay(ASK_AGAIN_MS, undefined, { signal: this.closed.signal }).catch(() => {
      throw new ProducerClosed();
    });
  }

  /**
   * Waits for a job of the operation that has not been completed, or else asks the database: what it has decides, also after
   * it was restored from a backup. Returns `undefined` before the end.
   */
  private async findAnswer(operationId: string, wait: WaitOptions): Promise<Answer | undefined> {
    for (const sender of this.senders) {
      if (!(await sender.hasOpen(jobIdOf(operationId)))) continue;
      try {
        return await this.wait(sender, operationId, wait);
      } catch (error) {
        // The job has vanished since, and its operation has not ended: the caller asks again.
        if (!(error instanceof JobForgotten)) throw error;
      }
    }
    return storedAnswer(await this.get(operationId, wait));
  }
}

/** What the queue and the database have in common of an ended operation or claim. */
type Answer = Pick<FoundOperation, 'createdBySendId' | 'conversationIds' | 'traceparent'> &
  Pick<OperationResult, 'receipt'> & {
    readonly state?: FoundOperation['state'];
  };

/** Throws the error that the operation ended with. Returns `undefined` when it has not ended. */
function storedAnswer({ state, error, receipt, ...found }: FoundOperation): Answer | undefined {
  if (!isEnded(state)) return undefined;
  if (error) throw parseFailureText(toFailureText(error)) ?? new JobFailed(error.message);
  return receipt ? { ...found, state, receipt } : undefined;
}

/** The answer of a claim has no state. A claim with an answer is done, or was cancelled while it waited. */
function toResult(operationId: string, { state, receipt, conversationIds, traceparent }: Answer): OperationResult {
  const isCancelled = state === 'cancelled' || (state === undefined && receipt.shortBecause === 'stopped');
  const ended = isCancelled ? ('cancelled' as const) : ('done' as const);
  return {
    ...{ operationId, outcome: 'exists', state: ended, receipt },
    ...(conversationIds && { conversationIds }),
    ...(traceparent !== undefined && { traceparent }),
  };
}

/**
 * BullMQ numbers the jobs without an id, and starts again at 1 when Redis loses its data. A caller that waits for such a
 * number could then receive the result of another job.
 */
export function withNewId(options: JobsOptions): JobsOptions {
  return { ...options, jobId: randomUUID() };
}

type AnyJob = OperationJob | ClaimJob;

export function isSameRequest(sent: AnyJob, kept: AnyJob | undefined): boolean {
  return kept !== undefined && requestHash(kept.request) === requestHash(sent.request);
}

export function outcomeOf(answer: { readonly createdBySendId: string }, job: AnyJob): 'created' | 'exists' {
  return answer.createdBySendId === job.sendId ? 'created' : 'exists';
}
