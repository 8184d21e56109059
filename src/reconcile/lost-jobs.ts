import { Cluster, type Redis } from 'ioredis';
import type { RedisConnection } from '../queue/connection.ts';
import { QUEUE_NAMES } from '../queue/job.ts';
import { type KeyedQueue, LISTS, runIfLost, SORTED_SETS } from '../queue/lost-job.ts';

const SCAN_COUNT = 1_000;
/** One pass reads at most so many pages of keys. The next pass of this process continues. */
const SCAN_PAGES_MAX = 500;

/** Hashes of BullMQ that are not jobs. Keys that belong to a job have a colon in their last part. */
const NO_JOBS = ['meta'];

/**
 * The jobs of all queues that have a key but are in no list of their queue. Redis can lose a list alone, by a mistake or by
 * eviction, and BullMQ never runs such a job.
 */
export class LostJobs {
  private readonly redis: RedisConnection;
  private readonly prefix: string;
  private readonly queues: readonly KeyedQueue[];
  private readonly cursors = new Map<string, string>();

  constructor(redis: RedisConnection, prefix: string) {
    this.redis = redis;
    this.prefix = prefix;
    this.queues = QUEUE_NAMES.map((name) => {
      return { name, toKey: (key) => `${prefix}:${name}:${key}`, opts: { prefix, connection: redis } };
    });
  }

  /** Makes lost jobs run and returns their number. Reads a part of a large database, and the rest in later calls. */
  async restore(): Promise<number> {
    const found = new Map<KeyedQueue, string[]>();
    for (const node of this.nodes()) {
      for (const key of await this.scan(node)) {
        const queue = this.queues.find(({ toKey }) => key.startsWith(toKey('')));
        if (queue) found.set(queue, [...(found.get(queue) ?? []), key.slice(queue.toKey('').length)]);
      }
    }
    let restored = 0;
    for (const [queue, ids] of found) restored += await this.restoreIn(queue, ids);
    return restored;
  }

  private async restoreIn(queue: KeyedQueue, ids: readonly string[]): Promise<number> {
    const listed = await this.listed(queue);
    const lost = ids.filter((id) => isJobId(id) && !listed.has(id));
    const restored = await Promise.all(lost.map((id) => runIfLost(queue, id)));
    return restored.filter(Boolean).length;
  }

  /** The ids in all lists. A job that has moved meanwhile is checked once more before it is changed. */
  private async listed(queue: KeyedQueue): Promise<ReadonlySet<string>> {
    const lists = LISTS.map((name) => this.redis.lrange(queue.toKey(name), 0, -1));
    const sets = SORTED_SETS.map((name) => this.redis.zrange(queue.toKey(name), '0', '-1'));
    return new Set((await Promise.all([...lists, ...sets])).flat());
  }

  private nodes(): Redis[] {
    return this.redis instanceof Cluster ? this.redis.nodes('master') : [this.redis];
  }

  private async scan(node: Redis): Promise<string[]> {
    const name = `${node.options.host ?? ''}:${node.options.port ?? ''}`;
    const keys: string[] = [];
    let cursor = this.cursors.get(name) ?? '0';
    for (let page = 0; page < SCAN_PAGES_MAX; page += 1) {
      const [next, found] = await node.scan(cursor, 'MATCH', `${this.prefix}:*`, 'COUNT', SCAN_COUNT, 'TYPE', 'hash');
      keys.push(...found);
      cursor = next;
      if (cursor === '0') break;
    }
    this.cursors.set(name, cursor);
    return keys;
  }
}

function isJobId(id: string): boolean {
  return !id.includes(':') && !NO_JOBS.includes(id);
}
