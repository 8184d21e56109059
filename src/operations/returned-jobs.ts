import type { RedisConnection } from '../queue/connection.ts';
import { OPERATIONS_QUEUE } from '../queue/job.ts';
import { isWrongType } from '../queue/redis-errors.ts';

/** Entries that nothing removes, such as those of a campaign without further operations, end after a day. */
const RETURNED_FOR_S = 86_400;
/** How many returned jobs are read. The newest one that can still run is enough; those after it are gone. */
const RETURNED_READ_MAX = 20;
/** How many returned jobs are accepted together. More than this take the way of one after the other. */
export const RETURNED_TAKEN_MAX = 1_000;

/** Replaces a key that is not a sorted set. */
const ADD_RETURNED = `
  if redis.call('type', KEYS[1]).ok ~= 'zset' then redis.call('del', KEYS[1]) end
  redis.call('zadd', KEYS[1], ARGV[1], ARGV[2])
  redis.call('expire', KEYS[1], ARGV[3])`;

export interface ReturnedJob {
  readonly jobId: string;
  /** Two jobs with this text in common have to be accepted in the order in which they were sent. */
  readonly subject: string;
  readonly sentAt: number;
}

/** The jobs that went back to the queue before their operations were accepted: for each subject a sorted set, by `sentAt`. */
export class ReturnedJobs {
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

  /** The ids of the newest returned jobs that were sent no later than this job, newest first. */
  async newestUntil({ subject, sentAt }: Pick<ReturnedJob, 'subject' | 'sentAt'>): Promise<readonly string[]> {
    const newest = this.redis.zrevrangebyscore(this.key(subject), sentAt, '-inf', 'LIMIT', 0, RETURNED_READ_MAX);
    return (await newest.catch(ignoreWrongType)) ?? [];
  }

  /** The ids of the returned jobs that were sent no later than a time, oldest first; at most {@link RETURNED_TAKEN_MAX}. */
  async oldestUntil({ subject, sentAt }: Pick<ReturnedJob, 'subject' | 'sentAt'>): Promise<readonly string[]> {
    const oldest = this.redis.zrangebyscore(this.key(subject), '-inf', sentAt, 'LIMIT', 0, RETURNED_TAKEN_MAX);
    return (await oldest.catch(ignoreWrongType)) ?? [];
  }

  private key(subject: string): string {
    return `${this.prefix}:${OPERATIONS_QUEUE}-returned:${subject}`;
  }
}

/** A damaged key says nothing about the order. The next note replaces it. */
function ignoreWrongType(error: unknown): undefined {
  if (isWrongType(error)) return undefined;
  throw error;
}
