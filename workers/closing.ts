import type { Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Context } from '../src/context.ts';

interface Closable {
  close(): Promise<void>;
}

export interface ClosingParts {
  readonly workers: readonly Worker[];
  readonly operations: Closable;
  readonly claims: Closable;
  readonly redis: Redis;
  readonly subscriber: Redis;
  readonly context: Context;
}

/** In the reverse order of building. Redis may be away, and then a graceful close would wait for it for ever. */
export async function closeAll(parts: ClosingParts, timeoutMs: number): Promise<'closed' | 'timed-out'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'timed-out'>((resolve) => {
    timer = setTimeout(() => resolve('timed-out'), timeoutMs);
  });
  const how = await Promise.race([closeGracefully(parts).then(() => 'closed' as const), late]);
  clearTimeout(timer);
  if (how === 'timed-out') await Promise.allSettled(parts.workers.map((worker) => worker.close(true)));
  parts.subscriber.disconnect();
  parts.redis.disconnect();
  await parts.context.close();
  return how;
}

/** No new jobs; those in hand are told to stop at the next good moment, and waited for. */
async function closeGracefully({ workers, operations, claims }: ClosingParts): Promise<void> {
  const closing = workers.map((worker) => worker.close());
  for (const worker of workers) worker.cancelAllJobs('shutdown');
  await Promise.all(closing);
  await Promise.all([operations.close(), claims.close()]);
}
