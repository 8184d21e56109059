import type { Redis } from 'ioredis';

/** Counts the commands that a Redis has received, those that it has rejected too. */
export async function countCommands(redis: Redis): Promise<number> {
  const counts = (await redis.info('commandstats')).matchAll(/[:,](?:calls|rejected_calls)=(\d+)/g);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}
