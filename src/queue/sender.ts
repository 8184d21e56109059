import { Queue, type Job, type JobsOptions } from 'bullmq';
import pTimeout, { TimeoutError } from 'p-timeout';
import { ProducerClosed, QueueUnavailable, Refusal } from '../domain/errors.ts';
import { jobIdText, storableError } from '../domain/safe-text.ts';
import { parseFailureText } from '../domain/stored-error.ts';
import { COMMAND_TIMEOUT_MS } from './connection-options.ts';
import type { ErrorListener, RedisConnection } from './connection.ts';
import { hasFailed, isIdFree, runNow } from './job-state.ts';
import { runIfLost } from './lost-job.ts';
import { readJob, readOrSetAside } from './read-job.ts';
import { whenReachable } from './reachable.ts';
import { explained } from './redis-errors.ts';
import { CLOSE_MS_MAX, ResultWaiter, type WaitOptions } from './result-waiter.ts';

export const DEFAULT_WAIT_MS = 60_000;
/** Another caller may send a job under the id that became free; it may be refused too. Each round removes one such job. */
const ADD_ROUNDS_MAX = 5;
/** Sending takes a few commands, and may have to wait for a new connection. Their sum has this limit. */
const SEND_TIMEOUT_MS = 2 * COMMAND_TIMEOUT_MS;

export interface SenderParts {
  readonly connection: RedisConnection;
  /** Called for the first wait: a producer that only sends needs no second connection. */
  readonly connectForWaiting: () => RedisConnection;
  readonly prefix: string;
  readonly onError: ErrorListener;
}

interface SentJob {
  readonly jobId: string;
  /** The data that the queue keeps under the job's id: of this job, or of an earlier one with the same id. */
  readonly kept: unknown;
}

/** Sends jobs to one queue and waits for their results. */
export class Sender {
  private readonly queue: Queue;
  private readonly parts: SenderParts;
  private results: ResultWaiter | undefined;
  private lastTimestamp = 0;
  private readonly closed = new AbortController();

  constructor(name: string, parts: SenderParts) {
    this.parts = parts;
    // The check of the version is a command that can time out, and BullMQ would never repeat it.
    this.queue = new Queue(name, { connection: parts.connection, prefix: parts.prefix, skipVersionCheck: true });
    this.queue.on('error', parts.onError);
  }

  /** Throws `QueueUnavailable` if Redis does not confirm the job in time. */
  async send<Data>(name: string, data: Data, options: JobsOptions): Promise<SentJob> {
    try {
      const timestamp = this.nextTimestamp();
      // A job is safe to send again: it has an id, or a repetition does no harm.
      return await this.whenReachable(() => this.add(name, data, { ...options, timestamp }));
    } catch (error) {
      if (error instanceof Refusal) throw error;
      throw this.closed.signal.aborted ? new ProducerClosed() : unavailable(error);
    }
  }

  /** No two jobs of a sender have the same time, so that workers can tell in which order it has sent them. */
  private nextTimestamp(): number {
    this.lastTimestamp = Math.max(Date.now(), this.lastTimestamp + 1);
    return this.lastTimestamp;
  }

  /** Returns the job's return value; see {@link ResultWaiter.wait}. */
  async wait(jobId: string, options: Partial<WaitOptions> = {}): Promise<unknown> {
    if (this.closed.signal.aborted) throw new ProducerClosed();
    this.results ??= new ResultWaiter(this.queue, this.parts.connectForWaiting());
    return this.results.wait(jobId, { waitMs: options.waitMs ?? DEFAULT_WAIT_MS, onProgress: options.onProgress });
  }

  /** Returns true when the queue has a job with this id, ended or not. */
  async has(jobId: string): Promise<boolean> {
    try {
      return (await this.whenReachable(() => readJob(this.queue, jobId))) !== undefined;
    } catch (error) {
      throw this.closed.signal.aborted ? new ProducerClosed() : unavailable(error);
    }
  }

  async close(): Promise<void> {
    this.closed.abort();
    const closing = this.queue.close().catch(() => undefined);
    await Promise.all([
      this.results?.close(),
      pTimeout(closing, { milliseconds: CLOSE_MS_MAX, fallback: () => undefined }),
    ]);
  }

  private whenReachable<Result>(work: () => Promise<Result>): Promise<Result> {
    return whenReachable(this.parts.connection, { limitMs: SEND_TIMEOUT_MS, signal: this.closed.signal }, work);
  }

  private async add<Data>(name: string, data: Data, options: JobsOptions): Promise<SentJob> {
    for (let round = 0; round < ADD_ROUNDS_MAX; round += 1) {
      const { id: jobId = '' } = await this.queue.add(name, data, options);
      if (options.jobId === undefined) return { jobId, kept: data };
      // BullMQ keeps the first of two jobs with one id and does not report which job it kept.
      const kept = await readOrSetAside(this.queue, jobId);
      if (kept === 'gone') return { jobId, kept: data };
      if (kept === 'set-aside') continue;
      if (JSON.stringify(kept.data) === JSON.stringify(data)) return { jobId, kept: data };
      if (!isIdFree(kept)) return this.keepJob(jobId, kept);
      await kept.remove();
    }
    throw new Error(`job ${jobIdText(options.jobId)} was refused ${ADD_ROUNDS_MAX} times while it was sent`);
  }

  /**
   * A job that used up its attempts, and whose operation has not ended, runs again: sending again asks for a retry. The key
   * of a job that has not ended is no proof that the job will run: Redis may have lost the list that it was in.
   */
  private async keepJob(jobId: string, kept: Job<unknown, unknown>): Promise<SentJob> {
    if (hasFailed(kept) && !parseFailureText(kept.failedReason)) await runNow(this.queue, kept);
    else if (kept.finishedOn === undefined) await runIfLost(this.queue, jobId);
    return { jobId, kept: kept.data };
  }
}

function unavailable(error: unknown): QueueUnavailable {
  const message =
    error instanceof TimeoutError
      ? `Redis did not confirm the request within ${SEND_TIMEOUT_MS} ms`
      : `Redis did not confirm the request: ${explained(error)}`;
  // The cause is described, because the client's error contains the command with the request.
  return new QueueUnavailable(message, { cause: storableError(error) });
}
