import { QueueEvents, type Job, type Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { parseRefusal, QueueUnavailable, WaitTimeout } from '../domain/errors.ts';

/** Events do the waking; a look at the job itself, this often, makes good for one that was lost on the way. */
const RECHECK_MS = 5_000;

/** The worker gave up on a job, for a reason that is not the request's. */
export class JobFailed extends Error {
  override readonly name = 'JobFailed';
  readonly code = 'operation-failed';
}

export interface WaitOptions {
  /** How long to wait, in milliseconds. */
  readonly waitMs: number;
  readonly onProgress?: ((progress: unknown) => void) | undefined;
}

interface Waiter {
  readonly answer: (answer: Answer) => void;
  readonly progress: (progress: unknown) => void;
}

/** Waits for jobs' answers, all over one connection. */
export class Answers {
  private readonly queue: Queue;
  private readonly events: QueueEvents;
  private readonly waiters = new Map<string, Set<Waiter>>();

  constructor(queue: Queue, connection: Redis) {
    this.queue = queue;
    this.events = new QueueEvents(queue.name, { connection, prefix: queue.opts.prefix ?? '' });
    this.events.on('error', () => undefined);
    this.events.on('completed', ({ jobId, returnvalue }) => {
      this.each(jobId, (waiter) => waiter.answer({ ok: true, value: returnvalue }));
    });
    this.events.on('failed', ({ jobId, failedReason }) => {
      this.each(jobId, (waiter) => waiter.answer({ ok: false, error: failureOf(failedReason) }));
    });
    this.events.on('progress', ({ jobId, data }) => this.each(jobId, (waiter) => waiter.progress(data)));
  }

  /** The job's return value. Throws the `Refusal` it failed with, {@link JobFailed}, or `WaitTimeout`. */
  async wait(jobId: string, { waitMs, onProgress }: WaitOptions): Promise<unknown> {
    await this.events.waitUntilReady();
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timeout);
        clearInterval(recheck);
        this.forget(jobId, waiter);
        act();
      };
      const answer = (given: Answer): void => settle(() => (given.ok ? resolve(given.value) : reject(given.error)));
      const look = (): void => {
        // Redis may be away for the moment: the next look, or the deadline, decides.
        this.look(jobId).then(
          (found) => found && answer(found),
          () => undefined,
        );
      };
      const waiter: Waiter = { answer, progress: (data) => onProgress?.(data) };
      const timeout = setTimeout(() => settle(() => reject(new WaitTimeout(jobId, waitMs))), waitMs);
      const recheck = setInterval(look, RECHECK_MS);
      this.remember(jobId, waiter);
      look();
    });
  }

  async close(): Promise<void> {
    await this.events.close();
  }

  private async look(jobId: string): Promise<Answer | undefined> {
    const job = (await this.queue.getJob(jobId)) as Job<unknown, unknown> | undefined;
    if (!job) return { ok: false, error: new QueueUnavailable(`expected job ${jobId} in the queue, got none`) };
    if (job.finishedOn === undefined) return undefined;
    if (job.failedReason) return { ok: false, error: failureOf(job.failedReason) };
    return { ok: true, value: job.returnvalue };
  }

  private each(jobId: string, act: (waiter: Waiter) => void): void {
    for (const waiter of this.waiters.get(jobId) ?? []) act(waiter);
  }

  private remember(jobId: string, waiter: Waiter): void {
    this.waiters.set(jobId, (this.waiters.get(jobId) ?? new Set()).add(waiter));
  }

  private forget(jobId: string, waiter: Waiter): void {
    const waiting = this.waiters.get(jobId);
    waiting?.delete(waiter);
    if (waiting?.size === 0) this.waiters.delete(jobId);
  }
}

type Answer = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: Error };

function failureOf(reason: string | undefined): Error {
  return parseRefusal(reason ?? '') ?? new JobFailed(reason ?? 'the job failed without a reason');
}
