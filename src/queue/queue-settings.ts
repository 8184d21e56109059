import type { RedisConnection } from './connection.ts';
import { RECONCILE_QUEUE } from './job.ts';

/** Settings of a queue that apply to all workers. BullMQ keeps them in Redis; a queue board can change them. */
export interface QueueSettings {
  readonly isPaused: boolean;
  /** The most jobs of the queue that run at the same time, over all workers. */
  readonly concurrency: number | null;
  /** At most `max` jobs start in `durationMs`. */
  readonly rateLimit: { readonly max: number; readonly durationMs: number } | null;
}

export async function readQueueSettings(redis: RedisConnection, prefix: string, name: string): Promise<QueueSettings> {
  const key = `${prefix}:${name}:meta`;
  const [paused, concurrency, max, duration] = await redis.hmget(key, 'paused', 'concurrency', 'max', 'duration');
  return {
    isPaused: typeof paused === 'string',
    concurrency: numberIn(concurrency),
    rateLimit: max ? { max: Number(max), durationMs: Number(duration ?? 0) } : null,
  };
}

/** Describes the settings with which jobs wait although workers are free. Baton sets none of them. */
export function describeSettings(name: string, { isPaused, concurrency, rateLimit }: QueueSettings): readonly string[] {
  return [
    ...(isPaused ? ['is paused'] : []),
    // One reconcile pass at a time is Baton's own setting.
    ...(concurrency !== null && name !== RECONCILE_QUEUE ? [`runs at most ${concurrency} jobs over all workers`] : []),
    ...(rateLimit ? [`starts at most ${rateLimit.max} jobs in ${rateLimit.durationMs} ms`] : []),
  ];
}

function numberIn(text: string | null | undefined): number | null {
  return text === null || text === undefined ? null : Number(text);
}
