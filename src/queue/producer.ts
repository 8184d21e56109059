import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { otherRequest } from '../domain/errors.ts';
import type { Preview } from '../domain/preview.ts';
import type { Receipt } from '../domain/receipt.ts';
import type { WaitOptions } from './answers.ts';
import { connectProducer, connectWorker } from './connection.ts';
import * as contract from './contract.ts';
import { parseClaimRequest, parseRequest, type RequestInput } from './requests.ts';
import { Sender } from './sender.ts';

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

/** What a texter got. */
export interface ClaimResult {
  readonly claimId: string;
  readonly outcome: 'created' | 'exists';
  /** In the order given: longest waiting first. */
  readonly conversationIds: readonly string[];
  readonly receipt: Receipt;
}

export interface ClaimInput {
  readonly claimId: string;
  readonly campaignId: string;
  readonly texterId: string;
  /** How many are wanted; without it, as many as the campaign gives at once. */
  readonly count?: number;
  /** How long to wait for more when the pool is short, in milliseconds; without it, not at all. */
  readonly waitMs?: number;
}

/** A claim that the queue has taken. */
export interface SentClaim {
  readonly claimId: string;
  /** Waits for the claim to be answered. Throws as {@link Sent.result} does. */
  result(options?: Partial<WaitOptions>): Promise<ClaimResult>;
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
  /** Gives back what an operation moved and nobody touched since: each conversation to where it was. */
  undo(request: RequestInput<'undo'>): Promise<Sent>;
  /**
   * Stops an operation, or a claim that waits, where it is, and answers with its receipt: what had moved, and how much was
   * left. Throws a `Refusal` (`unknown-operation`, `operation-ended`); asked again, it answers the same.
   */
  cancel(request: contract.CancelInput, options?: Partial<WaitOptions>): Promise<contract.CancelAnswer>;
  /** Gives a texter more conversations from the pool, oldest first, as the campaign's rules allow. The id is the claim's. */
  selfAssign(request: ClaimInput): Promise<SentClaim>;
  /**
   * Wakes a campaign's claims that wait: conversations came back to its pool, or a rule was eased, by other ways than
   * Baton's own. Saying it too often costs a look and does no harm.
   */
  poolRefilled(campaignId: string): Promise<void>;
  /** What an operation would do now. Writes nothing. */
  preview(request: contract.PreviewRequest, options?: Partial<WaitOptions>): Promise<Preview>;
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
  private readonly connections: Redis[];
  private readonly operations: Sender;
  private readonly claims: Sender;
  private readonly previews: Sender;
  private readonly controls: Sender;

  constructor({ redisUrl, prefix = contract.DEFAULT_QUEUE_PREFIX, onError = () => undefined }: ProducerOptions) {
    const connection = connectProducer(redisUrl, onError);
    this.connections = [connection];
    const connectForWaiting = (): Redis => {
      const waiting = connectWorker(redisUrl, onError);
      this.connections.push(waiting);
      return waiting;
    };
    const parts = { connection, connectForWaiting, prefix, onError };
    this.operations = new Sender(contract.OPERATIONS_QUEUE, parts);
    this.claims = new Sender(contract.CLAIMS_QUEUE, parts);
    this.previews = new Sender(contract.PREVIEWS_QUEUE, parts);
    this.controls = new Sender(contract.CONTROLS_QUEUE, parts);
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

  undo(request: RequestInput<'undo'>): Promise<Sent> {
    return this.send({ ...request, kind: 'undo' });
  }

  async cancel(request: contract.CancelInput, wait?: Partial<WaitOptions>): Promise<contract.CancelAnswer> {
    const job = contract.newCancelJob(request);
    const options = { ...contract.CANCEL_JOB_OPTIONS, jobId: contract.newJobId() };
    const { jobId } = await this.controls.send(contract.CANCEL_JOB, job, options);
    return (await this.controls.wait(jobId, wait)) as contract.CancelAnswer;
  }

  async selfAssign({ claimId, ...rest }: ClaimInput): Promise<SentClaim> {
    const request = parseClaimRequest({ ...rest, operationId: claimId, kind: 'self-assign' });
    const job = contract.newClaimJob(request, randomUUID());
    const options = { ...contract.CLAIM_JOB_OPTIONS, jobId: contract.jobIdOf(claimId) };
    refuseOther(job, (await this.claims.send(contract.CLAIM_JOB, job, options)).kept);
    const result = async (wait?: Partial<WaitOptions>): Promise<ClaimResult> => {
      const answer = (await this.claims.wait(options.jobId, wait)) as contract.ClaimAnswer;
      const { conversationIds, receipt } = answer;
      return { claimId, outcome: outcomeOf(answer, job), conversationIds, receipt };
    };
    return { claimId, result };
  }

  async poolRefilled(campaignId: string): Promise<void> {
    const job = contract.newPoolRefilledJob(campaignId);
    await this.claims.send(contract.POOL_REFILLED_JOB, job, contract.poolRefilledJobOptions(campaignId));
  }

  async preview(request: contract.PreviewRequest, wait?: Partial<WaitOptions>): Promise<Preview> {
    const job = contract.newPreviewJob(request);
    const options = { ...contract.PREVIEW_JOB_OPTIONS, jobId: contract.newJobId() };
    const { jobId } = await this.previews.send(contract.PREVIEW_JOB, job, options);
    return (await this.previews.wait(jobId, wait)) as Preview;
  }

  async close(): Promise<void> {
    await Promise.all([this.operations, this.claims, this.previews, this.controls].map((sender) => sender.close()));
    for (const connection of this.connections) connection.disconnect();
  }

  private async send(input: unknown): Promise<Sent> {
    const request = parseRequest(input);
    const { operationId } = request;
    const job = contract.newOperationJob(request, randomUUID());
    const options = { ...contract.OPERATION_JOB_OPTIONS, jobId: contract.jobIdOf(operationId) };
    refuseOther(job, (await this.operations.send(contract.OPERATION_JOB, job, options)).kept);
    const result = async (wait?: Partial<WaitOptions>): Promise<OperationResult> => {
      const answer = (await this.operations.wait(options.jobId, wait)) as contract.OperationAnswer;
      return { operationId, outcome: outcomeOf(answer, job), state: answer.state, receipt: answer.receipt };
    };
    return { operationId, result };
  }
}

type AnyJob = contract.OperationJob | contract.ClaimJob;

/** The queue keeps another request under this one's id. */
function refuseOther(sent: AnyJob, kept: unknown): void {
  if (contract.hashOfJob(kept) === contract.requestHash(sent.request)) return;
  throw otherRequest(sent.request.operationId);
}

function outcomeOf(answer: { readonly madeBy: string }, job: AnyJob): 'created' | 'exists' {
  return answer.madeBy === job.sentBy ? 'created' : 'exists';
}
