import { randomUUID } from 'node:crypto';
import type { RedisConnection } from './connection.ts';

/** Under the prefix of Baton: a random text that changes with every revoked API key. HTTP servers keep keys until then. */
export function keyVersionKey(prefix: string): string {
  return `${prefix}:http:keys`;
}

/** Makes every HTTP server read the keys again. Call it after a key is revoked. */
export async function renewKeyVersion(redis: RedisConnection, prefix: string): Promise<void> {
  await redis.set(keyVersionKey(prefix), randomUUID());
}
