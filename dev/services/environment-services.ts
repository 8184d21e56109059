import { Redis } from 'ioredis';
import mongoose from 'mongoose';
import { errorText } from '../../src/domain/safe-text.ts';
import { problemForDriver } from '../../src/mongo/driver-options.ts';
import { problemOfMongodbUri } from '../../src/mongo/mongodb-address.ts';
import { problemOfRedisUrl } from '../../src/queue/redis-address.ts';
import { SetupError, withoutCredentials } from './messages.ts';

const CONNECT_TIMEOUT_MS = 5_000;

/** Returns the address of another database on the same server. */
export function withDatabase(uri: string, name: string): string {
  return uri.replace(/^(mongodb(?:\+srv)?:\/\/[^/?]*)(?:\/[^?]*)?/, `$1/${name}`);
}

/** Reports a wrong address before the command starts, instead of as a time-out inside it. */
export async function checkMongo(uri: string): Promise<void> {
  refuse('MONGODB_URI', problemOfMongodbUri(uri) ?? problemForDriver(uri));
  try {
    const connection = mongoose.createConnection(uri, { serverSelectionTimeoutMS: CONNECT_TIMEOUT_MS });
    await connection
      .asPromise()
      .then(checkTransactions)
      .finally(() => connection.close());
  } catch (error) {
    throw new SetupError(`cannot use the MongoDB at MONGODB_URI (${withoutCredentials(uri)}): ${errorText(error)}`);
  }
}

/** Baton writes in transactions, which a standalone server does not support. */
async function checkTransactions(connection: mongoose.Connection): Promise<void> {
  const hello = await connection.db?.admin().command({ hello: 1 });
  const isReplicaSet = hello?.['setName'] !== undefined || hello?.['msg'] === 'isdbgrid';
  if (!isReplicaSet) throw new Error('the server is not part of a replica set (one member is enough: --replSet)');
}

function refuse(name: string, problem: string | undefined): void {
  if (problem !== undefined) throw new SetupError(`${name} ${problem}`);
}

export async function checkRedis(url: string): Promise<void> {
  refuse('REDIS_URL', problemOfRedisUrl(url));
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
    const reason = errorText(cause ?? error);
    throw new SetupError(`cannot use the Redis at REDIS_URL (${withoutCredentials(url)}): ${reason}`);
  } finally {
    redis.disconnect();
  }
}
