import { Redis } from 'ioredis';
import mongoose from 'mongoose';
import { SetupError } from './say.ts';

const REACHABLE_WITHIN_MS = 5_000;

/** A wrong address is told now and in one line, not by the first test that happens to time out. */
export async function checkMongo(uri: string): Promise<void> {
  try {
    const connection = mongoose.createConnection(uri, { serverSelectionTimeoutMS: REACHABLE_WITHIN_MS });
    await connection
      .asPromise()
      .then(expectTransactions)
      .finally(() => connection.close());
  } catch (error) {
    throw new SetupError(`expected a MongoDB at MONGODB_URI (${withoutSecrets(uri)}), got: ${reason(error)}`);
  }
}

/** Every operation needs transactions, which a server that stands alone does not have. */
async function expectTransactions(connection: mongoose.Connection): Promise<void> {
  const hello = await connection.db?.admin().command({ hello: 1 });
  const isReplicated = hello?.['setName'] !== undefined || hello?.['msg'] === 'isdbgrid';
  if (!isReplicated) throw new Error('a server outside of any replica set (one member is enough: --replSet)');
}

export async function checkRedis(url: string): Promise<void> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: REACHABLE_WITHIN_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  // The rejection below only says that the connection is closed; why is told here.
  let cause: unknown;
  redis.on('error', (error: unknown) => (cause = error));
  try {
    await redis.connect();
    await redis.ping();
  } catch (error) {
    throw new SetupError(`expected a Redis at REDIS_URL (${withoutSecrets(url)}), got: ${reason(cause ?? error)}`);
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
