import { connectProducer, type RedisConnection } from './connection.ts';

export interface QueueAddress {
  readonly redisUrl: string;
  readonly prefix: string;
}

/** A producer's connection keeps nothing back, so its first command must wait until it stands. */
export async function withRedis<Result>(
  redisUrl: string,
  work: (redis: RedisConnection) => Promise<Result>,
): Promise<Result> {
  let onError: (error: Error) => void = () => undefined;
  const redis = connectProducer(redisUrl, (error) => onError(error));
  try {
    await new Promise<void>((resolve, reject) => {
      redis.once('ready', resolve);
      onError = reject;
    });
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}
