import { randomUUID } from 'node:crypto';
import {
  CLAIM_JOB,
  CLAIM_JOB_OPTIONS,
  claimJob,
  newClaimJob,
  newPoolRefilledJob,
  parseClaimRequest,
  POOL_REFILLED_JOB,
  poolRefilledJobOptions,
} from '../claims/contract.ts';
import { ERASE_JOB, LIFT_OPT_OUT_JOB, newPersonJob, OPT_OUT_JOB, PERSON_JOB_OPTIONS } from '../contacts/contract.ts';
import type {
  CancelAnswer,
  CancelQueuedAnswer,
  ClaimAnswer,
  EraseAnswer,
  FoundOperation,
  MovesPage,
  OperationAnswer,
  OptOutAnswer,
  Preview,
  WaitOptions,
} from '../domain/answers.ts';
import type {
  CancelInput,
  CancelQueuedInput,
  ClaimInput,
  InputOfKind,
  MovesInput,
  OperationInput,
  PersonRequest,
  PreviewInput,
} from '../domain/inputs.ts';
import { parseRequest, type OperationRequest } from '../operations/contract.ts';
import {
  CANCEL_JOB,
  CANCEL_JOB_OPTIONS,
  CANCEL_QUEUED_JOB,
  newCancelJob,
  newCancelQueuedJob,
  newOperationJob,
  OPERATION_JOB,
  OPERATION_JOB_OPTIONS,
  operationJob,
  newPreviewJob,
  PREVIEW_JOB,
  PREVIEW_JOB_OPTIONS,
} from '../operations/jobs.ts';
import { MOVES_JOB, newMovesJob, toMovesPage, type MovesAnswer } from '../operations/moves-job.ts';
import { connectSender, connectWorker, type RedisConnection } from '../queue/connection.ts';
import { CLAIMS_QUEUE, CONTROLS_QUEUE, jobIdOf, OPERATIONS_QUEUE, PREVIEWS_QUEUE } from '../queue/job.ts';
import { OwnerCheck } from '../queue/queue-owner.ts';
import { Sender } from '../queue/sender.ts';
import { Answers, isSameRequest, outcomeOf, withNewId } from './answers.ts';
import { atCaller, callAtCaller, methodsAtCaller } from './at-caller.ts';
import { checkedOptions } from './options.ts';
import type {
  ClaimResult,
  OperationResult,
  Producer,
  ProducerOptions,
  Sent,
  SentClaim,
  SentOfMany,
} from './producer-port.ts';
import { parseAll, sendMany } from './send-many.ts';

/**
 * Creates a producer with a connection of its own, which it opens in the background. Throws a `Refusal` (`bad-config`) when
 * an option cannot work.
 */
export function createProducer(options: ProducerOptions): Producer {
  return callAtCaller(createProducer, () => methodsAtCaller<Producer>(new QueueProducer(checkedOptions(options))));
}

class QueueProducer implements Producer {
  private readonly connections: RedisConnection[];
  private readonly operations: Sender;
  private readonly claims: Sender;
  private readonly previews: Sender;
  private readonly controls: Sender;
  private readonly answers: Answers;

  constructor({ redisUrl, prefix, databaseId, onError }: ReturnType<typeof checkedOptions>) {
    const connection = connectSender(redisUrl, onError);
    this.connections = [connection];
    const connectForWaiting = (): RedisConnection => {
      const waiting = connectWorker(redisUrl, onError);
      this.connections.push(waiting);
      return waiting;
    };
    const owner = databaseId === undefined ? undefined : new OwnerCheck(connection, prefix, databaseId);
    const parts = { connection, connectForWaiting, prefix, onError, owner };
    this.operations = new Sender(OPERATIONS_QUEUE, parts);
    this.claims = new Sender(CLAIMS_QUEUE, parts);
    this.previews = new Sender(PREVIEWS_QUEUE, parts);
    this.controls = new Sender(CONTROLS_QUEUE, parts);
    this.answers = new Answers([this.operations, this.claims], this.controls);
  }

  reassign(request: InputOfKind['reassign']): Promise<Sent> {
    return this.send({ ...request, kind: 'reassign' });
  }

  reassignOne(request: InputOfKind['reassign-one']): Promise<Sent> {
    return this.send({ ...request, kind: 'reassign-one' });
  }

  unassign(request: InputOfKind['unassign']): Promise<Sent> {
    return this.send({ ...request, kind: 'unassign' });
  }

  unassignOne(request: InputOfKind['unassign-one']): Promise<Sent> {
    return this.send({ ...request, kind: 'unassign-one' });
  }

  reassignList(request: InputOfKind['reassign-list']): Promise<Sent> {
    return this.send({ ...request, kind: 'reassign-list' });
  }

  unassignList(request: InputOfKind['unassign-list']): Promise<Sent> {
    return this.send({ ...request, kind: 'unassign-list' });
  }

  undo(request: InputOfKind['undo']): Promise<Sent> {
    return this.send({ ...request, kind: 'undo' });
  }

  async sendAll(inputs: readonly OperationInput[]): Promise<readonly SentOfMany[]> {
    return sendMany(parseAll(inputs), (request) => this.sendParsed(request));
  }

  async cancel(request: CancelInput, wait?: Partial<WaitOptions>): Promise<CancelAnswer> {
    const job = newCancelJob(request);
    const { jobId } = await this.controls.send(CANCEL_JOB, job, withNewId(CANCEL_JOB_OPTIONS));
    return (await this.controls.wait(jobId, wait)) as CancelAnswer;
  }

  async cancelQueued(request: CancelQueuedInput, wait?: Partial<WaitOptions>): Promise<CancelQueuedAnswer> {
    const job = newCancelQueuedJob(request);
    const { jobId } = await this.controls.send(CANCEL_QUEUED_JOB, job, withNewId(CANCEL_JOB_OPTIONS));
    return (await this.controls.wait(jobId, wait)) as CancelQueuedAnswer;
  }

  async optOut(request: PersonRequest, wait?: Partial<WaitOptions>): Promise<OptOutAnswer> {
    return (await this.sendOfPerson(OPT_OUT_JOB, request, wait)) as OptOutAnswer;
  }

  async liftOptOut(request: PersonRequest, wait?: Partial<WaitOptions>): Promise<OptOutAnswer> {
    return (await this.sendOfPerson(LIFT_OPT_OUT_JOB, request, wait)) as OptOutAnswer;
  }

  async erase(request: PersonRequest, wait?: Partial<WaitOptions>): Promise<EraseAnswer> {
    return (await this.sendOfPerson(ERASE_JOB, request, wait)) as EraseAnswer;
  }

  async selfAssign({ operationId, ...rest }: ClaimInput): Promise<SentClaim> {
    const request = parseClaimRequest({ ...rest, operationId, kind: 'self-assign' });
    const job = newClaimJob(request, randomUUID());
    const options = { ...CLAIM_JOB_OPTIONS, jobId: jobIdOf(operationId) };
    await this.claims.sendOnce(CLAIM_JOB, job, options, (kept) => isSameRequest(job, claimJob.safeParse(kept).data));
    const result = atCaller(async (wait?: Partial<WaitOptions>): Promise<ClaimResult> => {
      const answer = (await this.answers.wait(this.claims, operationId, wait)) as ClaimAnswer;
      const { conversationIds, receipt } = answer;
      return { operationId, outcome: outcomeOf(answer, job), conversationIds, receipt };
    });
    return { operationId, result };
  }

  async poolRefilled(campaignId: string): Promise<void> {
    const job = newPoolRefilledJob(campaignId);
    await this.claims.send(POOL_REFILLED_JOB, job, poolRefilledJobOptions(campaignId));
  }

  async preview(request: PreviewInput, wait?: Partial<WaitOptions>): Promise<Preview> {
    const job = newPreviewJob(request);
    const { jobId } = await this.previews.send(PREVIEW_JOB, job, withNewId(PREVIEW_JOB_OPTIONS));
    return (await this.previews.wait(jobId, wait)) as Preview;
  }

  async moves(request: MovesInput, wait?: Partial<WaitOptions>): Promise<MovesPage> {
    const job = newMovesJob(request);
    const { jobId } = await this.previews.send(MOVES_JOB, job, withNewId(PREVIEW_JOB_OPTIONS));
    return toMovesPage((await this.previews.wait(jobId, wait)) as MovesAnswer);
  }

  get(operationId: string, wait?: Partial<WaitOptions>): Promise<FoundOperation> {
    return this.answers.get(operationId, wait);
  }

  result(operationId: string, wait?: Partial<WaitOptions>): Promise<OperationResult> {
    return this.answers.result(operationId, wait);
  }

  async close(): Promise<void> {
    this.answers.close();
    await Promise.all([this.operations, this.claims, this.previews, this.controls].map((sender) => sender.close()));
    for (const connection of this.connections) connection.disconnect();
  }

  private async sendOfPerson(name: string, request: PersonRequest, wait?: Partial<WaitOptions>): Promise<unknown> {
    const { jobId } = await this.controls.send(name, newPersonJob(request), withNewId(PERSON_JOB_OPTIONS));
    return this.controls.wait(jobId, wait);
  }

  private async send(input: OperationInput): Promise<Sent> {
    return this.sendParsed(parseRequest(input));
  }

  private async sendParsed(request: OperationRequest): Promise<Sent> {
    const { operationId } = request;
    const job = newOperationJob(request, randomUUID());
    const options = { ...OPERATION_JOB_OPTIONS, jobId: jobIdOf(operationId) };
    const isSame = (kept: unknown): boolean => isSameRequest(job, operationJob.safeParse(kept).data);
    await this.operations.sendOnce(OPERATION_JOB, job, options, isSame);
    const result = atCaller(async (wait?: Partial<WaitOptions>): Promise<OperationResult> => {
      const answer = (await this.answers.wait(this.operations, operationId, wait)) as OperationAnswer;
      const { state, receipt, traceparent } = answer;
      return { operationId, outcome: outcomeOf(answer, job), state, receipt, ...(traceparent && { traceparent }) };
    });
    return { operationId, result };
  }
}
