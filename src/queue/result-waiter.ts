import { QueueEvents, type Job, type Queue } from 'bullmq';
import pTimeout from 'p-timeout';
import type { Progress, WaitOptions } from '../domain/answers.ts';
import { JobFailed, ProducerClosed, QueueUnavailable, WaitTimeout } from '../domain/errors.ts';
import { errorText, jobIdText } from '../domain/safe-text.ts';
import { parseFailureText } from '../domain/stored-error.ts';
import { blockMsOf, DEFAULT_REDIS_TIMES } from './connection-options.ts';
import type { RedisConnection } from './connection.ts';
import { hasFailed } from './job-state.ts';
import { connectionOf } from './lost-job.ts';
import { newClosing, whenReachable } from './reachable.ts';
import { describeSettings, readQueueSettings } from './queue-settings.ts';

/** Events report the end of a job. The job is also read this often, in case an event was lost. */
const RECHECK_MS = 5_000;
/** However many jobs are waited for, one read follows the other after this time on average. */
const READ_EVERY_MS = 10;
/** The time for one read, so that a job that has ended is found however short the wait is. */
const WAIT_MS_MIN = 100;
/** The time to find out why a job did not end. */
const SETTINGS_MS_MAX = 500;
/** The longest time of a timer: 24 days. */
const WAIT_MS_MAX = 2 ** 31 - 1;
/** A connection that does not close within this time is cut. */
export const CLOSE_MS_MAX = 1_000;

/** Redis no longer has the job: the queue has forgotten it after many others, or has lost it. */
export class JobForgotten extends QueueUnavailable {}

type JobEnd = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: Error };

interface Waiter {
  readonly end: (end: JobEnd) => void;
  readonly progress: (progress: Progress) => void;
}

/** Waits for the results of one queue's jobs, however many, over one connection. */
export class ResultWaiter {
  private readonly queue: Queue;
  private readonly connection: RedisConnection;
  private readonly waiters = new Map<string, Set<Waiter>>();
  private events: Promise<QueueEvents> | undefined;
  private readonly closed = newClosing();

  constructor(queue: Queue, connection: RedisConnection) {
    this.queue = queue;
    this.connection = connection;
  }

  /**
   * Returns a job's return value. Throws the permanent error it failed with, `JobFailed`, `WaitTimeout`, or
   * `ProducerClosed`.
   */
  async wait(jobId: string, options: WaitOptions): Promise<unknown> {
    if (this.closed.signal.aborted) throw new ProducerClosed();
    const { onProgress } = options;
    const waitMs = Math.min(Math.max(options.waitMs, WAIT_MS_MIN), WAIT_MS_MAX);
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timeout);
        clearTimeout(recheck);
        this.removeWaiter(jobId, waiter);
        act();
      };
      const end = (found: JobEnd): void => settle(() => (found.ok ? resolve(found.value) : reject(found.error)));
      // If Redis cannot be reached now, the next read or the time limit decides.
      const read = (): void => void this.readEnd(jobId).then((found) => found && end(found), ignore);
      const waiter: Waiter = { end, progress: (data) => onProgress?.(data) };
      const timeout = setTimeout(() => {
        void this.reasonToWait().then((reason) => settle(() => reject(new WaitTimeout(jobId, waitMs, reason))));
      }, waitMs);
      let recheck: NodeJS.Timeout;
      const readAgainLater = (): void => {
        const readAgain = (): void => {
          readAgainLater();
          read();
        };
        recheck = setTimeout(readAgain, Math.max(RECHECK_MS, READ_EVERY_MS * this.waiters.size));
      };
      this.addWaiter(jobId, waiter);
      readAgainLater();
      read();
    });
  }

  /** Returns why the jobs of a queue wait although workers are free, or `undefined`. */
  private async reasonToWait(): Promise<string | undefined> {
    const { name, opts } = this.queue;
    const reading = readQueueSettings(connectionOf(this.queue), opts.prefix ?? '', name).catch(ignore);
    const settings = await pTimeout(reading, { milliseconds: SETTINGS_MS_MAX, fallback: ignore });
    const found = settings ? describeSettings(name, settings) : [];
    return found.length === 0 ? undefined : `the queue ${name} ${found.join(' and ')}`;
  }

  async close(): Promise<void> {
    this.closed.abort();
    const closed: JobEnd = { ok: false, error: new ProducerClosed() };
    for (const jobId of [...this.waiters.keys()]) this.each(jobId, (waiter) => waiter.end(closed));
    this.connection.disconnect();
    const closing = Promise.resolve(this.events?.then((events) => events.close()).catch(ignore));
    await pTimeout(closing, { milliseconds: CLOSE_MS_MAX, fallback: ignore });
  }

  /** Subscribes before it reads, so that a job that ends in between is reported by an event. */
  private async readEnd(jobId: string): Promise<JobEnd | undefined> {
    this.events ??= this.subscribe().catch((error: unknown) => {
      this.events = undefined;
      throw error;
    });
    await this.events;
    const job = await this.read(jobId);
    if (!job) return { ok: false, error: new JobForgotten(`job ${jobIdText(jobId)} is no longer in the queue`) };
    if (job.finishedOn === undefined) return undefined;
    return hasFailed(job) ? { ok: false, error: errorOf(job.failedReason) } : { ok: true, value: job.returnvalue };
  }

  /** Reads again on the next connection, because no event reports a job that ended before. */
  private read(jobId: string): Promise<Job<unknown, unknown> | undefined> {
    const limits = { limitMs: RECHECK_MS, signal: this.closed.signal };
    return whenReachable(connectionOf(this.queue), limits, () => this.queue.getJob(jobId));
  }

  /** Subscribes from the newest stored event on, so that no event is missed before the first blocking read begins. */
  private async subscribe(): Promise<QueueEvents> {
    const [newest] = await this.connection.xrevrange(this.queue.toKey('events'), '+', '-', 'COUNT', 1);
    const { connection } = this;
    const events = new QueueEvents(this.queue.name, {
      connection,
      prefix: this.queue.opts.prefix ?? '',
      lastEventId: newest?.[0] ?? '0-0',
      blockingTimeout: blockMsOf(DEFAULT_REDIS_TIMES),
      // The check prints a warning about the settings of Redis in the middle of the caller's output.
      skipVersionCheck: true,
    });
    events.on('error', ignore);
    events.on('completed', ({ jobId, returnvalue }) => {
      this.each(jobId, (waiter) => waiter.end({ ok: true, value: returnvalue }));
    });
    events.on('failed', ({ jobId, failedReason }) => {
      this.each(jobId, (waiter) => waiter.end({ ok: false, error: errorOf(failedReason) }));
    });
    events.on('progress', ({ jobId, data }) => {
      if (isProgress(data)) this.each(jobId, (waiter) => waiter.progress(data));
    });
    return events;
  }

  private each(jobId: string, act: (waiter: Waiter) => void): void {
    for (const waiter of [...(this.waiters.get(jobId) ?? [])]) act(waiter);
  }

  private addWaiter(jobId: string, waiter: Waiter): void {
    this.waiters.set(jobId, (this.waiters.get(jobId) ?? new Set()).add(waiter));
  }

  private removeWaiter(jobId: string, waiter: Waiter): void {
    const waiting = this.waiters.get(jobId);
    waiting?.delete(waiter);
    if (waiting?.size === 0) this.waiters.delete(jobId);
  }
}

/** Other programs can report anything as the progress of a job. */
function isProgress(data: unknown): data is Progress {
  return typeof data === 'object' && data !== null && typeof (data as Partial<Progress>).moved === 'number';
}

function errorOf(reason: string | undefined): Error {
  const text = reason === undefined ? 'the job failed without a reason' : errorText(new Error(reason));
  return parseFailureText(reason) ?? new JobFailed(text);
}

const ignore = (): undefined => undefined;
