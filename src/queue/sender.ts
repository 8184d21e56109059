import { Queue, type Job, type JobsOptions } from 'bullmq';
import { QueueUnavailable, Refusal } from '../domain/errors.ts';
import { parseFailureText } from '../domain/stored-error.ts';
import { bringForward, hasFailed, holdsIdForNobody } from './promote-job.ts';
import { atMost } from './at-most.ts';
import { Answers, CLOSE_MS_MAX, type WaitOptions } from './answers.ts';
import { COMMAND_TIMEOUT_MS, type RedisConnection } from './connection.ts';

/** How long a result is waited for when the caller does not say. */
const DEFAULT_WAIT_MS = 60_000;
/** Sending is a few commands; longer than this and the queue counts as away. */
const SEND_TIMEOUT_MS = 2 * COMMAND_TIMEOUT_MS;

export interface SenderParts {
  readonly connection: RedisConnection;
  /** Asked for with the first wait: whoever only sends needs no second connection. */
  readonly connectForWaiting: () => RedisConnection;
  readonly prefix: string;
  readonly onError: (error: Error) => void;
}

/** One queue, as its producer sees it: jobs go in, answers come back. */
export class Sender {
  private readonly queue: Queue;
  private readonly parts: SenderParts;
  private answers: Answers | undefined;

  constructor(name: string, parts: SenderParts) {
    this.parts = parts;
    this.queue = new Queue(name, { connection: parts.connection, prefix: parts.prefix });
    this.queue.on('error', parts.onError);
  }

  /** Sends a job and returns the data that the queue keeps under its id: this job's, or an earlier one's. */
  async send<Data>(name: string, data: Data, options: JobsOptions): Promise<{ jobId: string; kept: unknown }> {
    return inTime(this.add(name, data, options));
  }

  /** The job's return value; see {@link Answers.wait}. */
  async wait(jobId: string, options: Partial<WaitOptions> = {}): Promise<unknown> {
    this.answers ??= new Answers(this.queue, this.parts.connectForWaiting());
    return this.answers.wait(jobId, { waitMs: options.waitMs ?? DEFAULT_WAIT_MS, onProgress: options.onProgress });
  }

  async close(): Promise<void> {
    await Promise.all([
      this.answers?.close(),
      atMost(
        CLOSE_MS_MAX,
        this.queue.close().catch(() => undefined),
      ),
    ]);
  }

  private async add<Data>(name: string, data: Data, options: JobsOptions): Promise<{ jobId: string; kept: unknown }> {
    const { id: jobId = '' } = await this.queue.add(name, data, options);
    if (options.jobId === undefined) return { jobId, kept: data };
    // The queue keeps the first of two jobs with one id, and does not say which it kept: so look.
    const kept = (await this.queue.getJob(jobId)) as Job<unknown, unknown> | undefined;
    if (!kept) return { jobId, kept: data };
    if (holdsIdForNobody(kept)) {
      await kept.remove();
      return this.add(name, data, options);
    }
    // Given up for want of a database, say: whoever asks again wants it tried again.
    if (hasFailed(kept) && !parseFailureText(kept.failedReason)) await bringForward(kept);
    return { jobId, kept: kept.data };
  }
}

/** Redis may be away in ways that no command notices; a producer's caller hears of it all the same. */
async function inTime<Result>(work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const message = `expected Redis to take the request within ${SEND_TIMEOUT_MS} ms, got no answer`;
    timer = setTimeout(() => reject(new QueueUnavailable(message)), SEND_TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, late]);
  } catch (error) {
    if (error instanceof Refusal || error instanceof QueueUnavailable) throw error;
    const message = `expected Redis to take the request, received: ${error instanceof Error ? error.message : String(error)}`;
    throw new QueueUnavailable(message, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
