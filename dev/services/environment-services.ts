import { Redis } from 'ioredis';
import mongoose from 'mongoose';
import { errorMessage, SetupError, withoutCredentials } from './messages.ts';

const CONNECT_TIMEOUT_MS = 5_000;

/** Reports a wrong address before the command starts, instead of as a time-out inside it. */
export async function checkMongo(uri: string): Promise<void> {
  try {
    const connection = mongoose.createConnection(uri, { serverSelectionTimeoutMS: CONNECT_TIMEOUT_MS });
    await connection
      .asPromise()
      .then(checkTransactions)
      .finally(() => connection.close());
  } catch (error) {
    throw new SetupError(`cannot use the MongoDB at MONGODB_URI (${withoutCredentials(uri)}): ${errorMessage(error)}`);
  }
}

/** Baton writes in transactions, which a standalone server does not support. */
async function checkTransactions(connection: mongoose.Connection): Promise<void> {
  const hello = await connection.db?.admin().command({ hello: 1 });
  const isReplicaSet = hello?.['setName'] !== undefined || hello?.['msg'] === 'isdbgrid';
  if (!isReplicaSet) throw new Error('the server is not part of a replica set (one member is enough: --replSet)');
}

export async function checkRedis(url: string): Promise<void> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  // `connect` rejects with "Connection is closed"; only the error event has the reason.
  let cause: unknown;
  redis.on('error', (error: unknown) => (cause = error));
  try {
    await redis.connect();
    await redis.ping();
  } catch (error) {
    const reason = errorMessage(cause ?? error);
    throw new SetupError(`cannot use the Redis at REDIS_URL (${withoutCredentials(url)}): ${reason}`);
  } finally {
    redis.disconnect();
  }
}
