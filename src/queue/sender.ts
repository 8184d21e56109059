import { Queue, type Job, type JobsOptions } from 'bullmq';
import pLimit from 'p-limit';
import pTimeout, { TimeoutError } from 'p-timeout';
import type { WaitOptions } from '../domain/answers.ts';
import { operationConflict, ProducerClosed, QueueUnavailable, Refusal } from '../domain/errors.ts';
import { jobIdText, storableError } from '../domain/safe-text.ts';
import { COMMAND_TIMEOUT_MS } from './connection-options.ts';
import type { ErrorListener, RedisConnection } from './connection.ts';
import { hasFailed, isIdFree, removeEnded, runAgain } from './job-state.ts';
import { runIfLost } from './lost-job.ts';
import type { OwnerCheck } from './queue-owner.ts';
import { readJob, readOrSetAside } from './read-job.ts';
import { newClosing, whenReachable } from './reachable.ts';
import { explained } from './redis-errors.ts';
import { CLOSE_MS_MAX, ResultWaiter } from './result-waiter.ts';

export const DEFAULT_WAIT_MS = 60_000;
/** Another caller may send a job under the id that became free; it may be refused too. Each round removes one such job. */
const ADD_ROUNDS_MAX = 5;
/** Sending takes a few commands, and may have to wait for a new connection. Their sum has this limit. */
const SEND_TIMEOUT_MS = 2 * COMMAND_TIMEOUT_MS;
/** A timer that is later than this shows that the process stood still. */
const LATE_MS_MAX = 1_000;
/** More jobs and questions at a time would only wait in the connection, and use up their time limit there. */
const AT_A_TIME_MAX = 200;

export interface SenderParts {
  readonly connection: RedisConnection;
  /** Called for the first wait: a producer that only sends needs no second connection. */
  readonly connectForWaiting: () => RedisConnection;
  readonly prefix: string;
  /** Checks that the queues belong to the expected database. Default: no check. */
  readonly owner?: OwnerCheck | undefined;
  readonly onError: ErrorListener;
}

/** Returns true if the data that the queue keeps under the id of a job asks for the same. */
type IsSame = (kept: unknown) => boolean;

interface WithOperationId {
  readonly request: { readonly operationId: string };
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
  private readonly closed = newClosing();
  private readonly turns = pLimit(AT_A_TIME_MAX);
  private confirmedAt = -Infinity;
  /** Set when Redis confirmed nothing during the whole turn of a job, until it confirms something. */
  private silence: { readonly noticedAt: number; readonly error: unknown } | undefined;

  constructor(name: string, parts: SenderParts) {
    this.parts = parts;
    // The check of the version is a command that can time out, and BullMQ would never repeat it.
    this.queue = new Queue(name, { connection: parts.connection, prefix: parts.prefix, skipVersionCheck: true });
    this.queue.on('error', parts.onError);
  }

  /**
   * Throws `QueueUnavailable` if Redis does not confirm the job in time, and a `Refusal` if the queues belong to another
   * database than the expected one. The time limit begins with the job's turn. When Redis confirms no job during a whole turn,
   * all jobs that wait for theirs fail too.
   */
  async send<Data>(name: string, data: Data, options: JobsOptions, isSame?: IsSame): Promise<SentJob> {
    const timestamp = this.nextTimestamp();
    // A job is safe to send again: it has an id, or a repetition does no harm.
    return this.inTurn(() => this.add(name, data, { ...options, timestamp }, isSame));
  }

  /** Sends a job under the id of its operation. Throws a `Refusal` if the queue keeps a different request under that id. */
  async sendOnce<Data extends WithOperationId>(
    name: string,
    data: Data,
    options: JobsOptions,
    isSame: IsSame,
  ): Promise<void> {
    const { kept } = await this.send(name, data, options, isSame);
    if (kept !== data && !isSame(kept)) throw operationConflict(data.request.operationId);
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

  /** Returns true when the queue has a job with this id that has not been completed. */
  async hasOpen(jobId: string): Promise<boolean> {
    const job = await this.inTurn(() => readJob(this.queue, jobId));
    return job !== undefined && (job.finishedOn === undefined || hasFailed(job));
  }

  async close(): Promise<void> {
    this.closed.abort();
    const closing = this.queue.close().catch(() => undefined);
    await Promise.all([
      this.results?.close(),
      pTimeout(closing, { milliseconds: CLOSE_MS_MAX, fallback: () => undefined }),
    ]);
  }

  private inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const calledAt = performance.now();
    return this.turns(() => {
      // A job whose caller gets `ProducerClosed` must not run, unless it was already being written.
      if (this.closed.signal.aborted) throw new ProducerClosed();
      // Without this, thousands of jobs would fail in groups, each group after the whole time limit.
      if (this.silence && this.silence.noticedAt >= calledAt) throw unavailable(this.silence.error);
      return this.whenReachable(work);
    });
  }

  /** Checks the database of the queues and does the work, again if the connection is lost meanwhile. */
  private async whenReachable<Result>(work: () => Promise<Result>): Promise<Result> {
    const { signal } = this.closed;
    const startedAt = performance.now();
    try {
      const done = await whenReachable(this.parts.connection, { limitMs: SEND_TIMEOUT_MS, signal }, async () => {
        await this.requireDatabase();
        return work();
      });
      this.confirmedAt = performance.now();
      this.silence = undefined;
      return done;
    } catch (error) {
      if (error instanceof Refusal) throw error;
      if (signal.aborted) throw new ProducerClosed();
      this.noteSilence(startedAt, error);
      throw unavailable(error);
    }
  }

  /**
   * An error that comes before a command can time out is an answer of Redis, and concerns only the job that failed. One that
   * comes long after the time limit shows that this process stood still, and could read no answer.
   */
  private noteSilence(startedAt: number, error: unknown): void {
    const noticedAt = performance.now();
    const waitedMs = noticedAt - startedAt;
    const hasListened = waitedMs >= COMMAND_TIMEOUT_MS && waitedMs <= SEND_TIMEOUT_MS + LATE_MS_MAX;
    if (hasListened && this.confirmedAt <= startedAt) this.silence = { noticedAt, error };
  }

  private async requireDatabase(): Promise<void> {
    if (!this.parts.owner) return;
    await this.queue.waitUntilReady();
    await this.parts.owner.require();
  }

  private async add<Data>(name: string, data: Data, options: JobsOptions, isSame?: IsSame): Promise<SentJob> {
    for (let round = 0; round < ADD_ROUNDS_MAX; round += 1) {
      const { id: jobId = '' } = await this.queue.add(name, data, options);
      if (options.jobId === undefined) return { jobId, kept: data };
      // BullMQ keeps the first of two jobs with one id and does not report which job it kept.
      const kept = await readOrSetAside(this.queue, jobId);
      if (kept === 'gone') return { jobId, kept: data };
      if (kept === 'set-aside') continue;
      if (isSameJob(kept, data, options)) return { jobId, kept: data };
      if (!isIdFree(kept) && (await this.reuseJob(kept, data, isSame))) return { jobId, kept: kept.data };
      await removeEnded(this.queue, kept as Job);
    }
    throw new Error(`job ${jobIdText(options.jobId)} was refused ${ADD_ROUNDS_MAX} times while it was sent`);
  }

  /**
   * Makes sure that a job of an earlier call will run. A job that has ended runs again, because what MongoDB has decides: a
   * worker gives the stored answer, or runs the operation if the database does not know it, for example after it was restored
   * from a backup. The key of a job that has not ended is no proof that the job will run: Redis may have lost the list
   * that it was in. Returns false if the job must be replaced.
   */
  private async reuseJob(kept: Job<unknown, unknown>, data: unknown, isSame?: IsSame): Promise<boolean> {
    if (kept.finishedOn === undefined) await runIfLost(this.queue, kept.id ?? '');
    else if (isSame?.(kept.data) === true) return runAgain(kept as Job, data);
    return true;
  }
}

/**
 * Compares the time too: a call that lost its connection may have written its data into an ended job, and not made the job
 * run again.
 */
function isSameJob(kept: Job<unknown, unknown>, data: unknown, { timestamp }: JobsOptions): boolean {
  return kept.timestamp === timestamp && JSON.stringify(kept.data) === JSON.stringify(data);
}

function unavailable(error: unknown): QueueUnavailable {
  const message =
    error instanceof TimeoutError
      ? `Redis did not confirm the request within ${SEND_TIMEOUT_MS} ms (if it never does, check host and port, and whether it wants TLS: rediss://)`
      : `Redis did not confirm the request: ${explained(error)}`;
  // The cause is described, because the client's error contains the command with the request.
  return new QueueUnavailable(message, { cause: storableError(error) });
}
