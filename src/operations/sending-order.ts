import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job, Queue } from 'bullmq';
import { z } from 'zod';
import type { RedisConnection } from '../queue/connection.ts';
import { willRun } from '../queue/job-state.ts';
import { JOB_VERSION } from '../queue/job.ts';
import { readJob } from '../queue/read-job.ts';
import { RESENDABLE_CODES } from '../domain/errors.ts';
import { isEnded } from '../domain/operation.ts';
import { isOne, type OperationRequest } from './contract.ts';
import type { OperationStore } from './ports.ts';
import { ReturnedJobs, type ReturnedJob } from './returned-jobs.ts';

/** An earlier job is usually accepted within milliseconds. A longer wait would occupy the worker. */
const WAIT_MS_MAX = 500;
const RECHECK_MS_MIN = 5;
const RECHECK_MS_MAX = 40;
/** After so many runs a job no longer waits for earlier ones: one that fails again and again must not block the others. */
const RUNS_IN_ORDER_MAX = 60;
const RESENDABLE: readonly (string | undefined)[] = RESENDABLE_CODES;
/** More than the active jobs of many workers. */
const CONTENTS_KEPT_MAX = 10_000;

const sentJob = z.object({
  version: z.number().optional(),
  request: z.looseObject({ operationId: z.string(), campaignId: z.string(), conversationId: z.string().optional() }),
});

interface SentJob extends ReturnedJob {
  readonly operationId: string;
  readonly isActive: boolean;
}

type Content = Pick<SentJob, 'operationId' | 'subject' | 'sentAt'>;

/**
 * Lets operations be accepted in the order in which a producer sent them. Several workers take jobs from the queue at once,
 * so a later job can reach the database first. A job that was taken earlier is still in BullMQ's list of active jobs. A job
 * that went back to the queue before it was accepted is in a set of returned jobs, one for each subject. Of one producer, no
 * two jobs have the same time of sending; see `queue/sender.ts`. Jobs of different producers may, and then neither waits.
 *
 * Only Redis knows this order. If Redis loses it, no job waits.
 */
export class SendingOrder {
  private readonly queue: Queue;
  private readonly redis: RedisConnection;
  private readonly operations: Pick<OperationStore, 'find'>;
  private readonly returned: ReturnedJobs;
  private readonly contents = new Map<string, Content>();
  /** Emits the id of each job of this process whose operation is accepted. */
  private readonly accepted = new EventEmitter().setMaxListeners(0);

  constructor(queue: Queue, redis: RedisConnection, operations: Pick<OperationStore, 'find'>) {
    this.queue = queue;
    this.redis = redis;
    this.operations = operations;
    this.returned = new ReturnedJobs(redis, queue.opts.prefix ?? '');
  }

  /**
   * Waits a moment for the jobs that were sent earlier. Returns false when one of them is not accepted by then: the job has to
   * go back to the queue and run again.
   */
  async mayRun(job: Job, request: OperationRequest, signal: AbortSignal): Promise<boolean> {
    const own = { ...contentOf(request), jobId: job.id ?? '', sentAt: job.timestamp, isActive: true };
    // Otherwise every other job of this process would read it.
    this.keep(own);
    if (job.attemptsStarted > 1 && !(await this.returned.has(own))) return true;
    if (job.attemptsStarted > RUNS_IN_ORDER_MAX) return true;
    const until = performance.now() + WAIT_MS_MAX;
    let earlier = await this.findEarlier(own);
    for (let delayMs = RECHECK_MS_MIN; earlier; delayMs = Math.min(2 * delayMs, RECHECK_MS_MAX)) {
      if (signal.aborted || performance.now() > until) {
        await Promise.all([this.returned.add(own), this.returned.add(earlier)]);
        return false;
      }
      await this.acceptedOrAfter(earlier, delayMs);
      earlier = (await this.findEarlier(own)) ?? (await this.stillWaits(earlier));
    }
    return true;
  }

  /** Call it when the operation of a job of this process is accepted. The jobs that wait for it continue at once. */
  noteAccepted(jobId: string): void {
    this.accepted.emit(acceptedEvent(jobId));
  }

  /** Call it when a job was not accepted and will run again, before it leaves the list of active jobs. */
  async noteReturn({ id = '', data, timestamp }: Pick<Job, 'id' | 'data' | 'timestamp'>): Promise<void> {
    const { request } = sentJob.safeParse(data).data ?? {};
    if (request) await this.returned.add({ jobId: id, subject: subjectOf(request), sentAt: timestamp });
  }

  /** Call it when the operation of a job is accepted. */
  async forgetReturn(jobId: string, request: OperationRequest): Promise<void> {
    await this.returned.remove({ jobId, subject: subjectOf(request) });
  }

  /**
   * Finds the newest earlier job that can still run, unless it is accepted. If it is accepted, all jobs before it are.
   */
  private async findEarlier(own: SentJob): Promise<SentJob | undefined> {
    const [active, returned] = await Promise.all([
      this.redis.lrange(this.queue.toKey('active'), 0, -1),
      this.returned.newestUntil(own),
    ]);
    const others = [...new Set([...active, ...returned])].filter((id) => id !== own.jobId);
    if (others.length === 0) return undefined;
    const isEarlier = (content: Content): boolean => content.subject === own.subject && content.sentAt < own.sentAt;
    // A worker has many jobs at the same time, and most of them have other subjects.
    const candidates = others.filter((id) => {
      const content = this.contents.get(id);
      return !content || isEarlier(content);
    });
    const read = await Promise.all(candidates.map((id) => this.read(id, own, active, returned)));
    const earlier = read.flatMap((sent) => (sent && isEarlier(sent) ? [sent] : []));
    for (const sent of earlier.sort((a, b) => b.sentAt - a.sentAt)) {
      const end = await this.endOf(sent);
      if (end !== 'gone') return end === 'unaccepted' ? sent : undefined;
    }
    return undefined;
  }

  private async acceptedOrAfter({ jobId }: SentJob, delayMs: number): Promise<void> {
    const waiting = new AbortController();
    const { signal } = waiting;
    await Promise.race([sleep(delayMs, undefined, { signal }), once(this.accepted, acceptedEvent(jobId), { signal })]);
    waiting.abort();
  }

  /** The worker of a job may have died: the job then leaves the list of active jobs, and another worker takes it. */
  private async stillWaits(earlier: SentJob): Promise<SentJob | undefined> {
    return (await this.endOf({ ...earlier, isActive: false })) === 'unaccepted' ? earlier : undefined;
  }

  private async read(
    jobId: string,
    own: SentJob,
    active: readonly string[],
    returned: readonly string[],
  ): Promise<SentJob | undefined> {
    const content = this.contents.get(jobId) ?? (await this.readContent(jobId));
    if (content) return { ...content, jobId, isActive: active.includes(jobId) };
    // A job of a newer version stays noted for the workers that know it.
    if (returned.includes(jobId) && !(await this.willRun(jobId))) await this.returned.remove({ ...own, jobId });
    return undefined;
  }

  /** A job's request and time never change, so they are read once. */
  private async readContent(jobId: string): Promise<Content | undefined> {
    const [data, timestamp] = await this.redis.hmget(this.queue.toKey(jobId), 'data', 'timestamp');
    const { request, version = JOB_VERSION } = sentJob.safeParse(parsed(data)).data ?? {};
    // A job of a newer version may wait for its worker for an hour.
    if (!request || version > JOB_VERSION) return undefined;
    return this.keep({ ...contentOf(request), jobId, sentAt: Number(timestamp) });
  }

  private keep({ jobId, operationId, subject, sentAt }: Content & Pick<SentJob, 'jobId'>): Content {
    const content = { operationId, subject, sentAt };
    if (this.contents.size >= CONTENTS_KEPT_MAX) this.contents.clear();
    this.contents.set(jobId, content);
    return content;
  }

  /** Forgets a returned job that is accepted, or that will not run any more. */
  private async endOf(sent: SentJob): Promise<'accepted' | 'gone' | 'unaccepted'> {
    const isAccepted = await this.isAccepted(sent.operationId);
    if (!isAccepted && (sent.isActive || (await this.willRun(sent.jobId)))) return 'unaccepted';
    await this.returned.remove(sent);
    return isAccepted ? 'accepted' : 'gone';
  }

  /**
   * A single move takes no campaign lock, so the next one of the conversation waits until it has ended. A refusal that
   * depends on the moment may be of an earlier job: this one can still be accepted.
   */
  private async isAccepted(operationId: string): Promise<boolean> {
    const operation = await this.operations.find(operationId);
    if (!operation || RESENDABLE.includes(operation.error?.code)) return false;
    return !isOne(operation.request) || isEnded(operation.state);
  }

  private async willRun(jobId: string): Promise<boolean> {
    const job = await readJob(this.queue, jobId);
    return job !== undefined && (await willRun(job));
  }
}

/** Emitters treat an event with the name `error` in another way. */
function acceptedEvent(jobId: string): string {
  return `accepted ${jobId}`;
}

type Subject = Pick<OperationRequest, 'operationId' | 'campaignId'> & { readonly conversationId?: string | undefined };

function contentOf(request: OperationRequest | Subject): Pick<Content, 'operationId' | 'subject'> {
  return { operationId: request.operationId, subject: subjectOf(request) };
}

/** Operations on several conversations of a campaign have one order, and so have the single moves of a conversation. */
function subjectOf(request: OperationRequest | Subject): string {
  const one = 'conversationId' in request ? request.conversationId : undefined;
  return [request.campaignId, ...(one === undefined ? [] : [one])].map(encodeURIComponent).join(':');
}

function parsed(data: string | null | undefined): unknown {
  try {
    return JSON.parse(data ?? 'null');
  } catch {
    return null;
  }
}
