import { setImmediate as nextTick } from 'node:timers/promises';
import type { Queue } from 'bullmq';
import { z } from 'zod';
import type { RedisConnection } from '../queue/connection.ts';
import { willRun } from '../queue/job-state.ts';
import { JOB_BYTES_MAX, JOB_VERSION } from '../queue/job.ts';
import { readJob } from '../queue/read-job.ts';
import type { OperationRequest } from './contract.ts';
import { RETURNED_TAKEN_MAX, ReturnedJobs, type ReturnedJob } from './returned-jobs.ts';

/** More than the active jobs of many workers. */
const CONTENTS_KEPT_MAX = 10_000;

const sentJob = z.object({
  version: z.number().optional(),
  request: z.looseObject({ operationId: z.string(), campaignId: z.string(), conversationId: z.string().optional() }),
});

export interface SentJob extends ReturnedJob {
  readonly operationId: string;
  readonly isActive: boolean;
}

type Content = Pick<SentJob, 'operationId' | 'subject' | 'sentAt'>;

/**
 * Reads the jobs of operations that workers have taken, or that went back to the queue before they were accepted. A job that
 * was taken is in BullMQ's list of active jobs. A job that went back is in a set of returned jobs, one for each subject.
 */
export class SentJobs {
  readonly returned: ReturnedJobs;
  private readonly queue: Queue;
  private readonly redis: RedisConnection;
  private readonly contents = new Map<string, Content>();
  private nextActive: Promise<readonly string[]> | undefined;

  constructor(queue: Queue, redis: RedisConnection) {
    this.queue = queue;
    this.redis = redis;
    this.returned = new ReturnedJobs(redis, queue.opts.prefix ?? '');
  }

  /** Returns the jobs of the same subject that were sent earlier, newest first. */
  async earlierThan(own: SentJob): Promise<SentJob[]> {
    const [active, returned] = await Promise.all([this.active(), this.returned.newestUntil(own)]);
    const isEarlier = (content: Content): boolean => content.subject === own.subject && content.sentAt < own.sentAt;
    const found = await this.readThose([...active, ...returned], own, isEarlier, { active, returned });
    return found.sort((a, b) => b.sentAt - a.sentAt);
  }

  /**
   * Returns the active jobs of the same subject, and the returned ones that were sent before the newest active one; oldest
   * first. Returns `undefined` when these are too many.
   */
  async taken(own: SentJob): Promise<SentJob[] | undefined> {
    const active = await this.active();
    const isOfSubject = ({ subject }: Content): boolean => subject === own.subject;
    const jobs = [own, ...(await this.readThose(active, own, isOfSubject, { active, returned: [] }))];
    const sentAt = Math.max(...jobs.map((job) => job.sentAt));
    const returned = await this.returned.oldestUntil({ ...own, sentAt });
    if (returned.length === RETURNED_TAKEN_MAX) return undefined;
    const others = returned.filter((jobId) => !active.includes(jobId));
    jobs.push(...(await this.readThose(others, own, isOfSubject, { active, returned })));
    return jobs.sort((a, b) => a.sentAt - b.sentAt);
  }

  /** Reads the data and the time of a job as they are now. Returns `undefined` for data that are too large to run. */
  async readNow(jobId: string): Promise<{ readonly data: unknown; readonly sentAt: number } | undefined> {
    const [data, timestamp] = await this.redis.hmget(this.queue.toKey(jobId), 'data', 'timestamp');
    if (Buffer.byteLength(data ?? '') > JOB_BYTES_MAX) return undefined;
    return { data: parsed(data), sentAt: Number(timestamp) };
  }

  keep({ jobId, operationId, subject, sentAt }: Omit<SentJob, 'isActive'>): Content {
    const content = { operationId, subject, sentAt };
    if (this.contents.size >= CONTENTS_KEPT_MAX) this.contents.clear();
    this.contents.set(jobId, content);
    return content;
  }

  async willRun(jobId: string): Promise<boolean> {
    const job = await readJob(this.queue, jobId);
    return job !== undefined && (await willRun(job));
  }

  /** Jobs that begin at the same time share one read, which is sent after all of them have asked for it. */
  private active(): Promise<readonly string[]> {
    this.nextActive ??= nextTick().then(() => {
      this.nextActive = undefined;
      return this.redis.lrange(this.queue.toKey('active'), 0, -1);
    });
    return this.nextActive;
  }

  /** A worker has many jobs at the same time, and most of them have other subjects. What is known of them is not read again. */
  private async readThose(
    jobIds: readonly string[],
    own: SentJob,
    isWanted: (content: Content) => boolean,
    among: { readonly active: readonly string[]; readonly returned: readonly string[] },
  ): Promise<SentJob[]> {
    const candidates = [...new Set(jobIds)].filter((id) => {
      const content = this.contents.get(id);
      return id !== own.jobId && (!content || isWanted(content));
    });
    const read = await Promise.all(candidates.map((id) => this.read(id, own, among)));
    return read.flatMap((sent) => (sent && isWanted(sent) ? [sent] : []));
  }

  private async read(
    jobId: string,
    own: SentJob,
    { active, returned }: { readonly active: readonly string[]; readonly returned: readonly string[] },
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
}

type Subject = Pick<OperationRequest, 'operationId' | 'campaignId'> & { readonly conversationId?: string | undefined };

export function contentOf(request: OperationRequest | Subject): Pick<Content, 'operationId' | 'subject'> {
  return { operationId: request.operationId, subject: subjectOf(request) };
}

/** Operations on several conversations of a campaign have one order, and so have the single moves of a conversation. */
export function subjectOf(request: OperationRequest | Subject): string {
  const one = 'conversationId' in request ? request.conversationId : undefined;
  return [request.campaignId, ...(one === undefined ? [] : [one])].map(encodeURIComponent).join(':');
}

/** Returns the request of a job's data, if it names what orders jobs. */
export function subjectIn(data: unknown): Subject | undefined {
  return sentJob.safeParse(data).data?.request;
}

function parsed(data: string | null | undefined): unknown {
  try {
    return JSON.parse(data ?? 'null');
  } catch {
    return null;
  }
}
