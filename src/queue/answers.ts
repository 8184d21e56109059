import type { RedisConnection } from './connection.ts';
import { QueueEvents, type Job, type Queue } from 'bullmq';
import { atMost } from './at-most.ts';
import { hasFailed } from './promote-job.ts';
import { QueueUnavailable, WaitTimeout } from '../domain/errors.ts';
import { parseFailureText } from '../domain/stored-error.ts';

/** Events do the waking; a look at the job itself, this often, makes good for one that was lost on the way. */
const RECHECK_MS = 5_000;
/** Time for one look, so that what has ended is found however little is waited. */
const WAIT_MS_MIN = 100;
/** What a timer can hold: 24 days. */
const WAIT_MS_MAX = 2 ** 31 - 1;
/** A connection that does not close by then is cut. */
export const CLOSE_MS_MAX = 1_000;

/** The worker gave up on a job, for a reason that is not the request's. */
export class JobFailed extends Error {
  override readonly name = 'JobFailed';
  readonly code = 'operation-failed';
}

export interface WaitOptions {
  /** How long to wait, in milliseconds: at least {@link WAIT_MS_MIN}, `Infinity` for as long as a timer can. */
  readonly waitMs: number;
  readonly onProgress?: ((progress: unknown) => void) | undefined;
}

interface Waiter {
  readonly answer: (answer: Answer) => void;
  readonly progress: (progress: unknown) => void;
}

/** Waits for a queue's answers, all over one connection of its own. */
export class Answers {
  private readonly queue: Queue;
  private readonly connection: RedisConnection;
  private readonly waiters = new Map<string, Set<Waiter>>();
  private listening: Promise<QueueEvents> | undefined;

  constructor(queue: Queue, connection: RedisConnection) {
    this.queue = queue;
    this.connection = connection;
  }

  /** The job's return value. Throws the `Refusal` it failed with, {@link JobFailed}, or `WaitTimeout`. */
  async wait(jobId: string, options: WaitOptions): Promise<unknown> {
    const { onProgress } = options;
    const waitMs = Math.min(Math.max(options.waitMs, WAIT_MS_MIN), WAIT_MS_MAX);
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timeout);
        clearInterval(recheck);
        this.forget(jobId, waiter);
        act();
      };
      const answer = (given: Answer): void => settle(() => (given.ok ? resolve(given.value) : reject(given.error)));
      // Redis may be away for the moment: the next look, or the deadline, decides.
      const look = (): void => void this.look(jobId).then((found) => found && answer(found), ignore);
      const waiter: Waiter = { answer, progress: (data) => onProgress?.(data) };
      const timeout = setTimeout(() => settle(() => reject(new WaitTimeout(jobId, waitMs))), waitMs);
      const recheck = setInterval(look, RECHECK_MS);
      this.remember(jobId, waiter);
      look();
    });
  }

  async close(): Promise<void> {
    this.connection.disconnect();
    await atMost(CLOSE_MS_MAX, this.listening?.then((events) => events.close()).catch(ignore));
  }

  /** Listens first, so that an answer is either found or heard of. */
  private async look(jobId: string): Promise<Answer | undefined> {
    this.listening ??= this.listen().catch((error: unknown) => {
      this.listening = undefined;
      throw error;
    });
    await this.listening;
    const job = (await this.queue.getJob(jobId)) as Job<unknown, unknown> | undefined;
    if (!job) return { ok: false, error: new QueueUnavailable(`expected job ${jobId} in the queue, got none`) };
    if (job.finishedOn === undefined) return undefined;
    return hasFailed(job) ? { ok: false, error: failureOf(job.failedReason) } : { ok: true, value: job.returnvalue };
  }

  /** From the newest event there is: what comes from now on is heard, however long the first reading takes to begin. */
  private async listen(): Promise<QueueEvents> {
    const [newest] = await this.connection.xrevrange(this.queue.toKey('events'), '+', '-', 'COUNT', 1);
    const { connection } = this;
    const events = new QueueEvents(this.queue.name, {
      connection,
      prefix: this.queue.opts.prefix ?? '',
      lastEventId: newest?.[0] ?? '0-0',
    });
    events.on('error', ignore);
    events.on('completed', ({ jobId, returnvalue }) => {
      this.each(jobId, (waiter) => waiter.answer({ ok: true, value: returnvalue }));
    });
    events.on('failed', ({ jobId, failedReason }) => {
      this.each(jobId, (waiter) => waiter.answer({ ok: false, error: failureOf(failedReason) }));
    });
    events.on('progress', ({ jobId, data }) => this.each(jobId, (waiter) => waiter.progress(data)));
    return events;
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
  return parseFailureText(reason) ?? new JobFailed(reason ?? 'the job failed without a reason');
}

const ignore = (): undefined => undefined;
