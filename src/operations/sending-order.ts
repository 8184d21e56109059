import { setTimeout as sleep } from 'node:timers/promises';
import type { Queue } from 'bullmq';
import { type Job } from 'bullmq';
import { z } from 'zod';
import type { RedisConnection } from '../queue/connection.ts';
import { willRun } from '../queue/job-state.ts';
import { readJob } from '../queue/read-job.ts';
import { isEnded } from '../domain/operation.ts';
import { isOne, type OperationRequest } from './contract.ts';
import { NotedJobs } from './noted-jobs.ts';
import type { OperationStore } from './ports.ts';

/** An earlier job is usually accepted within milliseconds. A longer wait would occupy the worker. */
const WAIT_MS_MAX = 500;
const RECHECK_MS_MIN = 5;
const RECHECK_MS_MAX = 40;
/** After so many runs a job no longer waits for earlier ones: one that fails again and again must not block the others. */
const RUNS_IN_ORDER_MAX = 60;

/** More than the active jobs of many workers. */
const CONTENTS_KEPT_MAX = 10_000;

const sentJob = z.object({
  request: z.looseObject({ operationId: z.string(), campaignId: z.string(), conversationId: z.string().optional() }),
});

interface Content {
  readonly operationId: string;
  /** Two jobs with this text in common have to be accepted in the order in which they were sent. */
  readonly subject: string;
  readonly sentAt: number;
}

interface SentJob extends Content {
  readonly jobId: string;
  /** The place in BullMQ's list of active jobs, which begins with the newest; -1 when it is not in the list. */
  readonly place: number;
  readonly isNoted: boolean;
}

/**
 * Lets operations be accepted in the order in which a producer sent them. Several workers take jobs from the queue at once,
 * so a later job can reach the database first. A job that was taken earlier is still in BullMQ's list of active jobs. A job
 * that left the list without being accepted, because of an error, is noted in a set.
 *
 * Only Redis knows this order. If Redis loses it, no job waits.
 */
export class SendingOrder {
  private readonly queue: Queue;
  private readonly redis: RedisConnection;
  private readonly operations: Pick<OperationStore, 'find'>;
  private readonly noted: NotedJobs;
  private readonly contents = new Map<string, Content>();

  constructor(queue: Queue, redis: RedisConnection, operations: Pick<OperationStore, 'find'>) {
    this.queue = queue;
    this.redis = redis;
    this.operations = operations;
    this.noted = new NotedJobs(redis, queue.opts.prefix ?? '');
  }

  /**
   * Waits a moment for the jobs that were sent earlier. Returns false when one of them is not accepted by then: the job has
   * been noted and must run again.
   */
  async isNext(job: Job, request: OperationRequest, signal: AbortSignal): Promise<boolean> {
    if (job.attemptsStarted > 1 && !(await this.noted.has(job.id ?? ''))) return true;
    if (job.attemptsStarted > RUNS_IN_ORDER_MAX) return true;
    const until = performance.now() + WAIT_MS_MAX;
    let earlier = await this.findEarlier(job, request);
    for (let delayMs = RECHECK_MS_MIN; earlier; delayMs = Math.min(2 * delayMs, RECHECK_MS_MAX)) {
      if (signal.aborted || performance.now() > until) {
        await this.note(job);
        await this.note({ id: earlier.jobId, timestamp: earlier.sentAt });
        return false;
      }
      await sleep(delayMs);
      earlier = (await this.findEarlier(job, request)) ?? (await this.stillWaits(earlier));
    }
    return true;
  }

  /** Call it when a run of a job ended with an error, before the job leaves the list of active jobs. */
  async note({ id = '', timestamp }: Pick<Job, 'id' | 'timestamp'>): Promise<void> {
    await this.noted.add(id, timestamp);
  }

  /** The operation of the job is accepted, or it never will be. */
  async forget(jobId: string): Promise<void> {
    await this.noted.remove(jobId);
  }

  /**
   * Reads the job that was sent just before. It was accepted after all earlier ones, so the others need not be read, unless
   * it will never run.
   */
  private async findEarlier(job: Job, request: OperationRequest): Promise<SentJob | undefined> {
    const [active, noted] = await Promise.all([this.redis.lrange(this.queue.toKey('active'), 0, -1), this.noted.all()]);
    const ids = new Set([...active, ...noted]);
    if (ids.size === (ids.has(job.id ?? '') ? 1 : 0)) return undefined;
    const own = this.placed(
      job.id ?? '',
      { subject: subjectOf(request), operationId: '', sentAt: job.timestamp },
      active,
      noted,
    );
    const read = await Promise.all([...ids].map((id) => this.read(id, active, noted)));
    const earlier = read.flatMap((sent) =>
      sent && sent.subject === own.subject && isEarlier(sent, own) ? [sent] : [],
    );
    for (const sent of earlier.sort((a, b) => (isEarlier(a, b) ? 1 : -1))) {
      const end = await this.endOf(sent);
      if (end !== 'gone') return end === 'unaccepted' ? sent : undefined;
    }
    return undefined;
  }

  /** The worker of a job may have died: the job then leaves the list of active jobs, and another worker takes it. */
  private async stillWaits(earlier: SentJob): Promise<SentJob | undefined> {
    return (await this.endOf({ ...earlier, place: -1 })) === 'unaccepted' ? earlier : undefined;
  }

  private async read(jobId: string, active: readonly string[], noted: readonly string[]): Promise<SentJob | undefined> {
    const content = this.contents.get(jobId) ?? (await this.readContent(jobId));
    if (content === undefined) {
      if (noted.includes(jobId)) await this.forget(jobId);
      return undefined;
    }
    return this.placed(jobId, content, active, noted);
  }

  /** A job's request and time never change, so they are read once. */
  private async readContent(jobId: string): Promise<Content | undefined> {
    const [data, timestamp] = await this.redis.hmget(this.queue.toKey(jobId), 'data', 'timestamp');
    const { request } = sentJob.safeParse(parsed(data)).data ?? {};
    if (!request) return undefined;
    const content = { operationId: request.operationId, subject: subjectOf(request), sentAt: Number(timestamp) };
    if (this.contents.size >= CONTENTS_KEPT_MAX) this.contents.clear();
    this.contents.set(jobId, content);
    return content;
  }

  private placed(jobId: string, content: Content, active: readonly string[], noted: readonly string[]): SentJob {
    return { jobId, ...content, place: active.indexOf(jobId), isNoted: noted.includes(jobId) };
  }

  /** Forgets a noted job that is accepted, or that will not run any more. */
  private async endOf({ jobId, operationId, place, isNoted }: SentJob): Promise<'accepted' | 'gone' | 'unaccepted'> {
    const isAccepted = await this.isAccepted(operationId);
    if (!isAccepted && (place !== -1 || (await this.willRun(jobId)))) return 'unaccepted';
    if (isNoted) await this.forget(jobId);
    return isAccepted ? 'accepted' : 'gone';
  }

  /** A single move takes no campaign lock, so the next one of the conversation waits until it has ended. */
  private async isAccepted(operationId: string): Promise<boolean> {
    const operation = await this.operations.find(operationId);
    return operation !== undefined && (!isOne(operation.request) || isEnded(operation.state));
  }

  private async willRun(jobId: string): Promise<boolean> {
    const job = await readJob(this.queue, jobId);
    return job !== undefined && (await willRun(job));
  }
}

/**
 * A total order, so that no two jobs wait for each other: by the time of sending, which one producer takes from one clock. Of
 * two jobs of one millisecond, the one that was taken earlier is nearer to the end of the list.
 */
function isEarlier(other: SentJob, own: SentJob): boolean {
  if (other.sentAt !== own.sentAt) return other.sentAt < own.sentAt;
  const haveNoPlace = other.isNoted || own.isNoted || other.place === -1 || own.place === -1;
  return haveNoPlace ? other.jobId < own.jobId : other.place > own.place;
}

type Subject = Pick<OperationRequest, 'campaignId'> & { readonly conversationId?: string | undefined };

/** Bulk operations of a campaign have one order, and so have the single moves of a conversation. */
function subjectOf(request: OperationRequest | Subject): string {
  const conversationId = 'conversationId' in request ? request.conversationId : undefined;
  return JSON.stringify([request.campaignId, conversationId ?? null]);
}

function parsed(data: string | null | undefined): unknown {
  try {
    return JSON.parse(data ?? 'null');
  } catch {
    return null;
  }
}
