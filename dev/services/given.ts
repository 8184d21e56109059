import { Redis } from 'ioredis';
import mongoose from 'mongoose';
import { SetupError } from './say.ts';

const REACHABLE_WITHIN_MS = 5_000;

/** A wrong address is told now and in one line, not by the first test that happens to time out. */
export async function checkMongo(uri: string): Promise<void> {
  try {
    const connection = mongoose.createConnection(uri, { serverSelectionTimeoutMS: REACHABLE_WITHIN_MS });
    await connection.asPromise().finally(() => connection.close());
  } catch (error) {
    throw new SetupError(`expected a MongoDB at MONGODB_URI (${withoutSecrets(uri)}), got: ${reason(error)}`);
  }
}

export async function checkRedis(url: string): Promise<void> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: REACHABLE_WITHIN_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  // Told by the rejected connect below; without a listener ioredis would print it as well.
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    await redis.ping();
  } catch (error) {
    throw new SetupError(`expected a Redis at REDIS_URL (${withoutSecrets(url)}), got: ${reason(error)}`);
  } finally {
    redis.disconnect();
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Addresses end up in logs; passwords must not. */
export function withoutSecrets(address: string): string {
  return address.replace(/\/\/[^@/]*@/, '//…@');
}
