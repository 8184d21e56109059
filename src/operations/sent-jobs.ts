import { setImmediate as nextTick } from 'node:timers/promises';
import type { Queue } from 'bullmq';
import type { RedisConnection } from '../queue/connection.ts';
import { willRun } from '../queue/job-state.ts';
import { JOB_BYTES_MAX, JOB_VERSION, OPERATIONS_QUEUE } from '../queue/job.ts';
import { readJob } from '../queue/read-job.ts';
import { isWrongType } from '../queue/redis-errors.ts';
import { contentOf, orderedJob } from './jobs.ts';

/** More than the active jobs of many workers. */
const CONTENTS_KEPT_MAX = 10_000;
/** Entries that nothing removes, such as those of a campaign without further operations, expire after a day. */
const RETURNED_FOR_S = 86_400;
/** How many returned jobs are read. The newest one that can still run is enough; those after it are gone. */
const RETURNED_READ_MAX = 20;
/** Up to this many returned jobs are accepted together. More are accepted one after the other. */
const RETURNED_TAKEN_MAX = 1_000;

/** Replaces a key that is not a sorted set. */
const ADD_RETURNED = `
  if redis.call('type', KEYS[1]).ok ~= 'zset' then redis.call('del', KEYS[1]) end
  redis.call('zadd', KEYS[1], ARGV[1], ARGV[2])
  redis.call('expire', KEYS[1], ARGV[3])`;

interface ReturnedJob {
  readonly jobId: string;
  /** Two jobs with this text in common have to be accepted in the order in which they were sent. */
  readonly subject: string;
  readonly sentAt: number;
}

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
    const { request, version = JOB_VERSION } = orderedJob.safeParse(parsed(data)).data ?? {};
    // A job of a newer version may wait for its worker for an hour.
    if (!request || version > JOB_VERSION) return undefined;
    return this.keep({ ...contentOf(request), jobId, sentAt: Number(timestamp) });
  }
}

function parsed(data: string | null | undefined): unknown {
  try {
    return JSON.parse(data ?? 'null');
  } catch {
    return null;
  }
}

/** The jobs that went back to the queue before their operations were accepted: for each subject a sorted set, by `sentAt`. */
class ReturnedJobs {
  private readonly redis: RedisConnection;
  private readonly prefix: string;

  constructor(redis: RedisConnection, prefix: string) {
    this.redis = redis;
    this.prefix = prefix;
  }

  async add(job: ReturnedJob): Promise<void> {
    await this.redis.eval(ADD_RETURNED, 1, this.key(job.subject), job.sentAt, job.jobId, RETURNED_FOR_S);
  }

  async remove({ subject, jobId }: Pick<ReturnedJob, 'jobId' | 'subject'>): Promise<void> {
    await this.redis.zrem(this.key(subject), jobId).catch(ignoreWrongType);
  }

  async has({ subject, jobId }: Pick<ReturnedJob, 'jobId' | 'subject'>): Promise<boolean> {
    const score = await this.redis.zscore(this.key(subject), jobId).catch(ignoreWrongType);
    return (score ?? null) !== null;
  }

  /** Returns the ids of the newest returned jobs that were sent no later than this job, newest first. */
  async newestUntil({ subject, sentAt }: Pick<ReturnedJob, 'subject' | 'sentAt'>): Promise<readonly string[]> {
    const newest = this.redis.zrevrangebyscore(this.key(subject), sentAt, '-inf', 'LIMIT', 0, RETURNED_READ_MAX);
    return (await newest.catch(ignoreWrongType)) ?? [];
  }

  /** Returns the ids of the returned jobs that were sent until a time, oldest first; at most {@link RETURNED_TAKEN_MAX}. */
  async oldestUntil({ subject, sentAt }: Pick<ReturnedJob, 'subject' | 'sentAt'>): Promise<readonly string[]> {
    const oldest = this.redis.zrangebyscore(this.key(subject), '-inf', sentAt, 'LIMIT', 0, RETURNED_TAKEN_MAX);
    return (await oldest.catch(ignoreWrongType)) ?? [];
  }

  private key(subject: string): string {
    return `${this.prefix}:${OPERATIONS_QUEUE}-returned:${subject}`;
  }
}

/** A damaged key says nothing about the order. The next `add` replaces it. */
function ignoreWrongType(error: unknown): undefined {
  if (isWrongType(error)) return undefined;
  throw error;
}
