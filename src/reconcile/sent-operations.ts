import { Queue, type Job } from 'bullmq';
import { z } from 'zod';
import { claimJob, type ClaimRequest } from '../claims/index.ts';
import { JobFailed } from '../domain/errors.ts';
import {
  failedAttempt,
  parseFailureText,
  toStoredError,
  type FailedAttempt,
  type StoredError,
} from '../domain/stored-error.ts';
import { operationJob, type OperationRequest } from '../operations/index.ts';
import { withRedis, type QueueAddress, type RedisConnection } from '../queue/connection.ts';
import { findJob, hasFailed, mayHaveJob } from '../queue/job-state.ts';
import { CLAIMS_QUEUE, OPERATIONS_QUEUE } from '../queue/job.ts';
import { readJobs } from '../queue/read-job.ts';
import type { ReconcileStore } from './ports.ts';

/** An operation or claim that is in the queue and that no worker has accepted. The database does not know it. */
export interface SentOperation {
  readonly operationId: string;
  readonly campaignId: string;
  readonly request: OperationRequest | ClaimRequest;
  /** `sent`: it waits for a worker. `failed`: its attempts are used up. `refused`: a worker has refused it. */
  readonly state: 'sent' | 'failed' | 'refused';
  readonly sentAt: Date;
  /** How often a worker has tried it. */
  readonly attempts: number;
  /** Why the last attempt failed; `null` before the first one. */
  readonly lastFailure: FailedAttempt | null;
  /** Why it was refused. */
  readonly error: StoredError | null;
}

export interface SentDeps {
  readonly reconcileStore: Pick<ReconcileStore, 'knownAmong'>;
}

const QUEUES = [OPERATIONS_QUEUE, CLAIMS_QUEUE] as const;
const WAITING = ['active', 'waiting', 'prioritized', 'delayed'] as const;
const PAGE = 200;
/** More jobs of one state are not read: a list for people does not need them. */
const JOBS_READ_MAX = 2_000;

const anyJob = z.union([operationJob, claimJob]);

/** Finds an operation or claim that only the queue knows. Throws when Redis cannot be reached. */
export async function findSent(address: QueueAddress, operationId: string): Promise<SentOperation | undefined> {
  return withQueues(address, (queues) => findSentIn(queues, operationId));
}

/** The same for a process that keeps its queues. */
export async function findSentIn(queues: readonly Queue[], operationId: string): Promise<SentOperation | undefined> {
  if (!(await mayHaveJob(queues, operationId))) return undefined;
  const jobs = await Promise.all(queues.map((queue) => findJob(queue, operationId)));
  const sent = jobs.flatMap((job) => (job && toSent(job)) ?? []);
  return sent.find((each) => each.operationId === operationId);
}

/**
 * Lists the operations and claims of a campaign that wait for a worker and that the database does not know, in the order in
 * which they were sent. Throws when Redis cannot be reached.
 */
export async function listSent(
  { reconcileStore }: SentDeps,
  address: QueueAddress,
  campaignId: string,
): Promise<SentOperation[]> {
  const waiting = await withQueues(address, (queues) =>
    Promise.all(queues.map((queue) => waitingIn(queue, campaignId))),
  );
  const sent = new Map(waiting.flat().map((each) => [each.operationId, each]));
  // Read after the queue: an operation that is accepted between the two reads is in the database.
  const known = await reconcileStore.knownAmong([...sent.keys()]);
  const unknown = [...sent.values()].filter(({ operationId }) => !known.has(operationId));
  return unknown.sort((a, b) => a.sentAt.getTime() - b.sentAt.getTime());
}

async function waitingIn(queue: Queue, campaignId: string): Promise<SentOperation[]> {
  const found: SentOperation[] = [];
  for (const state of WAITING) {
    for (let at = 0; at < JOBS_READ_MAX; at += PAGE) {
      const page = await readJobs(queue, state, at, at + PAGE - 1);
      found.push(...page.flatMap((job) => toSent(job) ?? []).filter((sent) => sent.campaignId === campaignId));
      if (page.length === 0) break;
    }
  }
  return found;
}

/** Returns `undefined` for the job of an operation that was accepted and has ended, and for data that is no request. */
function toSent(job: Job<unknown, unknown>): SentOperation | undefined {
  const { success, data } = anyJob.safeParse(job.data);
  if (!success || (job.finishedOn !== undefined && !hasFailed(job))) return undefined;
  const { request } = data;
  const { operationId, campaignId } = request;
  const permanent = hasFailed(job) ? parseFailureText(job.failedReason) : undefined;
  const refusal = permanent instanceof JobFailed ? undefined : permanent;
  const isTried = permanent === undefined && Boolean(job.failedReason);
  return {
    ...{ operationId, campaignId, request },
    state: refusal ? 'refused' : hasFailed(job) ? 'failed' : 'sent',
    sentAt: new Date(job.timestamp),
    attempts: job.attemptsMade,
    lastFailure: isTried ? failedAttempt(job.failedReason, new Date(job.processedOn ?? job.timestamp)) : null,
    error: refusal ? toStoredError(refusal) : null,
  };
}

async function withQueues<Result>(
  { redisUrl, prefix }: QueueAddress,
  work: (queues: readonly Queue[]) => Promise<Result>,
): Promise<Result> {
  return withRedis(redisUrl, async (connection) => {
    const queues = openSentQueues(connection, prefix);
    try {
      return await work(queues);
    } finally {
      await Promise.all(queues.map((queue) => queue.close()));
    }
  });
}

/** Opens the queues that {@link findSentIn} reads. The connection reports their errors. */
export function openSentQueues(connection: RedisConnection, prefix: string): readonly Queue[] {
  const queues = QUEUES.map((name) => new Queue(name, { connection, prefix, skipVersionCheck: true }));
  for (const queue of queues) queue.on('error', () => undefined);
  return queues;
}
