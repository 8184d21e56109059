import type { Queue } from 'bullmq';
import type { RedisConnection } from './connection.ts';

/** BullMQ's keys of a queue that can hold the id of a job. */
export const LISTS = ['active', 'wait', 'paused'] as const;
export const SORTED_SETS = ['delayed', 'prioritized', 'waiting-children', 'failed', 'completed'] as const;

/**
 * `KEYS[1]` is the key of the job; `KEYS[2]` to `KEYS[4]` are lists, of which `KEYS[3]` is the list of waiting jobs, and
 * `KEYS[5]` to `KEYS[9]` are sorted sets that can hold the id `ARGV[1]`. `KEYS[10]` is BullMQ's marker, which ends the wait
 * of an idle worker.
 */
const RUN_IF_LOST = `
  if redis.call('exists', KEYS[1]) == 0 then return 0 end
  if redis.call('hexists', KEYS[1], 'returnvalue') == 1 then return 0 end
  for i = 2, 4 do if redis.call('lpos', KEYS[i], ARGV[1]) then return 0 end end
  for i = 5, 9 do if redis.call('zscore', KEYS[i], ARGV[1]) then return 0 end end
  redis.call('hdel', KEYS[1], 'finishedOn', 'failedReason', 'stacktrace', 'atm', 'ats', 'stc', 'defa')
  redis.call('lpush', KEYS[3], ARGV[1])
  redis.call('zadd', KEYS[10], 0, '0')
  return 1`;

/**
 * `KEYS[1]` is the key of the job `ARGV[1]`, `KEYS[2]` that of its log, `KEYS[3]` and `KEYS[4]` are the sets of ended jobs.
 * BullMQ removes the field `finishedOn` when a job runs again.
 */
const REMOVE_ENDED = `
  if redis.call('hget', KEYS[1], 'finishedOn') ~= ARGV[2] then return 0 end
  for i = 3, 4 do redis.call('zrem', KEYS[i], ARGV[1]) end
  redis.call('del', KEYS[1], KEYS[2])
  return 1`;

/** A queue or a worker of BullMQ. */
export interface KeyedQueue extends Pick<Queue, 'name' | 'toKey'> {
  readonly opts: { readonly prefix?: string; readonly connection?: unknown };
}

/** Returns the connection that the queue was created with. */
export function connectionOf(queue: KeyedQueue): RedisConnection {
  return queue.opts.connection as RedisConnection;
}

/**
 * Removes a job that ended at this time. Returns false, and changes nothing, if another process has made it run again.
 * BullMQ's own removal also takes jobs that wait.
 */
export async function removeIfEnded(queue: KeyedQueue, jobId: string, finishedOn: number): Promise<boolean> {
  const keys = [jobId, `${jobId}:logs`, 'completed', 'failed'].map((name) => queue.toKey(name));
  return (await connectionOf(queue).eval(REMOVE_ENDED, keys.length, ...keys, jobId, finishedOn)) === 1;
}

/**
 * Makes a job run that has a key but is in none of its queue's lists, because Redis lost the lists. BullMQ would never run
 * such a job, and refuses to add another one under its id. Returns false, and changes nothing, for every other job. Safe
 * to repeat, also from several processes.
 */
export async function runIfLost(queue: KeyedQueue, jobId: string): Promise<boolean> {
  const keys = [jobId, ...LISTS, ...SORTED_SETS, 'marker'].map((name) => queue.toKey(name));
  return (await connectionOf(queue).eval(RUN_IF_LOST, keys.length, ...keys, jobId)) === 1;
}
