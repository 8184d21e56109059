import type { RedisConnection } from '../queue/connection.ts';
import { OPERATIONS_QUEUE } from '../queue/job.ts';

/** Entries that nothing removes, such as those of a campaign without further operations, end after a day. */
const NOTED_FOR_S = 86_400;

/** Replaces a key that is not a sorted set. */
const NOTE = `
  if redis.call('type', KEYS[1]).ok ~= 'zset' then redis.call('del', KEYS[1]) end
  redis.call('zadd', KEYS[1], ARGV[1], ARGV[2])
  redis.call('expire', KEYS[1], ARGV[3])`;

/** The jobs of operations that left the list of active jobs before they were accepted, by the time of sending. */
export class NotedJobs {
  private readonly redis: RedisConnection;
  private readonly key: string;

  constructor(redis: RedisConnection, prefix: string) {
    this.redis = redis;
    this.key = `${prefix}:${OPERATIONS_QUEUE}-sent-earlier`;
  }

  async add(jobId: string, sentAt: number): Promise<void> {
    await this.redis.eval(NOTE, 1, this.key, sentAt, jobId, NOTED_FOR_S);
  }

  async remove(jobId: string): Promise<void> {
    await this.redis.zrem(this.key, jobId).catch(ignoreWrongType);
  }

  async has(jobId: string): Promise<boolean> {
    const score = await this.redis.zscore(this.key, jobId).catch(ignoreWrongType);
    return typeof score === 'string';
  }

  async all(): Promise<readonly string[]> {
    return (await this.redis.zrange(this.key, '0', '-1').catch(ignoreWrongType)) ?? [];
  }
}

/** A damaged key says nothing about the order. The next note replaces it. */
function ignoreWrongType(error: unknown): undefined {
  if (error instanceof Error && error.message.startsWith('WRONGTYPE')) return undefined;
  throw error;
}
