import type { RedisConnection } from '../src/queue/connection.ts';
import type { Worker } from 'bullmq';
import type { Context } from '../src/context.ts';
import { atMost } from '../src/queue/at-most.ts';

interface Closable {
  close(): Promise<void>;
}

export interface ClosingParts {
  readonly workers: readonly Worker[];
  readonly operations: Closable;
  readonly claims: Closable;
  readonly keeper: Closable;
  readonly redis: RedisConnection;
  readonly subscriber: RedisConnection;
  readonly context: Context;
}

/** Connections that are cut are given this long to notice. */
const CUT_MS_MAX = 1_000;

/** In the reverse order of building. Redis may be away, and then a graceful close would wait for it for ever. */
export async function closeAll(parts: ClosingParts, timeoutMs: number): Promise<'closed' | 'timed-out'> {
  const inTime = await atMost(timeoutMs, closeGracefully(parts));
  // A close that is under way cannot be hurried, only cut off; its jobs are taken up elsewhere once their locks run out.
  if (!inTime) await atMost(CUT_MS_MAX, Promise.allSettled(parts.workers.map((worker) => worker.disconnect())));
  parts.subscriber.disconnect();
  parts.redis.disconnect();
  await parts.context.close();
  return inTime ? 'closed' : 'timed-out';
}

/** No new jobs; those in hand are told to stop at the next good moment, and waited for. */
async function closeGracefully({ workers, operations, claims, keeper }: ClosingParts): Promise<void> {
  const closing = [keeper.close(), ...workers.map((worker) => worker.close())];
  for (const worker of workers) worker.cancelAllJobs('shutdown');
  await Promise.all(closing);
  await Promise.all([operations.close(), claims.close()]);
}
