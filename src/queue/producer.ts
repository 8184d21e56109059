import { randomUUID } from 'node:crypto';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { QueueUnavailable, Refusal } from '../domain/errors.ts';
import type { Preview } from '../domain/preview.ts';
import type { Receipt } from '../domain/receipt.ts';
import { Answers, type WaitOptions } from './answers.ts';
import type { PreviewRequest } from './contract.ts';
import { COMMAND_TIMEOUT_MS, connectProducer, connectWorker } from './connection.ts';
import * as contract from './contract.ts';
import { parseRequest, type RequestInput } from './requests.ts';

/** How long a result is waited for when the caller does not say. */
const DEFAULT_WAIT_MS = 60_000;
/** Sending is a few commands; longer than this and the queue counts as away. */
const SEND_TIMEOUT_MS = 2 * COMMAND_TIMEOUT_MS;

export interface ProducerOptions {
  /** `redis://[[user]:password@]host[:port][/db]` */
  readonly redisUrl: string;
  /** Must be the worker's. Default: `{baton}`. */
  readonly prefix?: string;
  /** Told of connection trouble, which mends itself. Default: nobody. */
  readonly onError?: (error: Error) => void;
}

/** What became of an operation. Counts are of conversations; holders are texter ids, `null` is the pool. */
export interface OperationResult {
  readonly operationId: string;
  /** `created`: this request made the operation. `exists`: it had been asked for before, and this is its answer. */
  readonly outcome: 'created' | 'exists';
  readonly state: 'done' | 'cancelled';
  readonly receipt: Receipt;
}

/** A request that the queue has taken. */
export interface Sent {
  readonly operationId: string;
  /**
   * Waits for the operation to end. Throws the `Refusal` it was refused with, `JobFailed` when the worker gave up, or
   * `WaitTimeout`; waiting again, also by another process, is always possible.
   */
  result(options?: Partial<WaitOptions>): Promise<OperationResult>;
}

/** Sends requests to Baton's workers. Needs only Redis. */
export interface Producer {
  /** Moves conversations to texters: all that match, or the first `count`. */
  reassign(request: RequestInput<'reassign'>): Promise<Sent>;
  /** Moves a single conversation to a texter. */
  reassignOne(request: RequestInput<'reassign-one'>): Promise<Sent>;
  /** Releases texters' conversations to the pool: the first `count`, or all, which must be confirmed. */
  unassign(request: RequestInput<'unassign'>): Promise<Sent>;
  /** Releases a single conversation to the pool. */
  unassignOne(request: RequestInput<'unassign-one'>): Promise<Sent>;
  /** What an operation would do now. Writes nothing. */
  preview(request: PreviewRequest, options?: Partial<WaitOptions>): Promise<Preview>;
  close(): Promise<void>;
}

/**
 * A producer over a connection of its own, opened in the background.
 *
 * Every method checks its request first and throws a `Refusal` (`bad-request`, or `operation-conflict` when the id
 * already stands for another request) without sending anything, or `QueueUnavailable` within seconds when Redis is away:
 * then the request may or may not have been taken, and sending it again with the same id is safe.
 */
export function createProducer(options: ProducerOptions): Producer {
  return new QueueProducer(options);
}

class QueueProducer implements Producer {
  private readonly options: ProducerOptions;
  private readonly connection: Redis;
  private readonly operations: Queue;
  private readonly previews: Queue;
  private waiting: { connection: Redis; operations: Answers; previews: Answers } | undefined;

  constructor(options: ProducerOptions) {
    this.options = options;
    this.connection = connectProducer(options.redisUrl, this.onError);
    this.operations = this.queue(contract.OPERATIONS_QUEUE);
    this.previews = this.queue(contract.PREVIEWS_QUEUE);
  }

  reassign(request: RequestInput<'reassign'>): Promise<Sent> {
    return this.send({ ...request, kind: 'reassign' });
  }

  reassignOne(request: RequestInput<'reassign-one'>): Promise<Sent> {
    return this.send({ ...request, kind: 'reassign-one' });
  }

  unassign(request: RequestInput<'unassign'>): Promise<Sent> {
    return this.send({ ...request, kind: 'unassign' });
  }

  unassignOne(request: RequestInput<'unassign-one'>): Promise<Sent> {
    return this.send({ ...request, kind: 'unassign-one' });
  }

  async preview(request: PreviewRequest, wait: Partial<WaitOptions> = {}): Promise<Preview> {
    const data = contract.newPreviewJob(request);
    const job = await this.inTime(this.previews.add(contract.PREVIEW_JOB, data, contract.PREVIEW_JOB_OPTIONS));
    return (await this.answers().previews.wait(job.id ?? '', withDefaults(wait))) as Preview;
  }

  async close(): Promise<void> {
    await Promise.all([this.waiting?.operations.close(), this.waiting?.previews.close()]);
    await Promise.all([this.operations.close(), this.previews.close()]);
    this.waiting?.connection.disconnect();
    this.connection.disconnect();
  }

  private async send(input: unknown): Promise<Sent> {
    const request = parseRequest(input);
    const { operationId } = request;
    const sentBy = randomUUID();
    await this.inTime(this.add(contract.newOperationJob(request, sentBy)));
    return { operationId, result: (options) => this.result(operationId, sentBy, withDefaults(options ?? {})) };
  }

  /** The queue keeps the first of two jobs with one id, and does not say which it kept: so look. */
  private async add(job: contract.OperationJob): Promise<void> {
    const { operationId } = job.request;
    const options = { ...contract.OPERATION_JOB_OPTIONS, jobId: operationId };
    await this.operations.add(contract.OPERATION_JOB, job, options);
    const kept = (await this.operations.getJob(operationId))?.data as contract.OperationJob | undefined;
    if (!kept || kept.sentBy === job.sentBy) return;
    if (contract.requestHash(kept.request) === contract.requestHash(job.request)) return;
    throw new Refusal('operation-conflict', {
      expected: `the request that operation ${operationId} stands for`,
      got: 'another request with its id',
    });
  }

  private async result(operationId: string, sentBy: string, options: WaitOptions): Promise<OperationResult> {
    const answer = (await this.answers().operations.wait(operationId, options)) as contract.OperationAnswer;
    const { madeBy, ...result } = answer;
    return { ...result, outcome: madeBy === sentBy ? 'created' : 'exists' };
  }

  /** Opened with the first wait: whoever only sends needs no second connection. */
  private answers(): { operations: Answers; previews: Answers } {
    if (this.waiting) return this.waiting;
    const connection = connectWorker(this.options.redisUrl, this.onError);
    const operations = new Answers(this.operations, connection);
    const previews = new Answers(this.previews, connection);
    this.waiting = { connection, operations, previews };
    return this.waiting;
  }

  private queue(name: string): Queue {
    const prefix = this.options.prefix ?? contract.DEFAULT_QUEUE_PREFIX;
    const queue = new Queue(name, { connection: this.connection, prefix });
    return queue.on('error', this.onError);
  }

  private readonly onError = (error: Error): void => this.options.onError?.(error);

  /** Redis may be away in ways that no command notices; a producer's caller hears of it all the same. */
  private async inTime<Result>(work: Promise<Result>): Promise<Result> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const message = `expected Redis to take the request within ${SEND_TIMEOUT_MS} ms, got no answer`;
      timer = setTimeout(() => reject(new QueueUnavailable(message)), SEND_TIMEOUT_MS);
    });
    try {
      return await Promise.race([work, late]);
    } catch (error) {
      if (error instanceof Refusal || error instanceof QueueUnavailable) throw error;
      const message = `expected Redis to take the request, got: ${error instanceof Error ? error.message : String(error)}`;
      throw new QueueUnavailable(message, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}

function withDefaults(options: Partial<WaitOptions>): WaitOptions {
  return { waitMs: options.waitMs ?? DEFAULT_WAIT_MS, onProgress: options.onProgress };
}
