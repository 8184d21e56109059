import { Redis, type RedisOptions } from 'ioredis';

/** How long one command of a producer may take before it is told that the queue is away. */
export const COMMAND_TIMEOUT_MS = 2_000;
const CONNECT_TIMEOUT_MS = 3_000;
const RECONNECT_DELAY_MS_MAX = 2_000;

const retryStrategy = (attempt: number): number => Math.min(attempt * 100, RECONNECT_DELAY_MS_MAX);

/** A producer would rather hear "no" than wait: nothing is kept back while Redis is away. */
const PRODUCER_OPTIONS = {
  maxRetriesPerRequest: 1,
  enableOfflineQueue: false,
  commandTimeout: COMMAND_TIMEOUT_MS,
  connectTimeout: CONNECT_TIMEOUT_MS,
  retryStrategy,
} as const satisfies RedisOptions;

/** A worker waits for work, and for Redis to come back, for as long as it takes: a timeout would only make noise. */
const WORKER_OPTIONS = {
  maxRetriesPerRequest: null,
  connectTimeout: CONNECT_TIMEOUT_MS,
  retryStrategy,
} as const satisfies RedisOptions;

export type ErrorListener = (error: Error) => void;

/** Connects in the background. Without a listener a lost connection would end the process. */
export function connectProducer(redisUrl: string, onError: ErrorListener): Redis {
  return listening(new Redis(redisUrl, PRODUCER_OPTIONS), onError);
}

export function connectWorker(redisUrl: string, onError: ErrorListener): Redis {
  return listening(new Redis(redisUrl, WORKER_OPTIONS), onError);
}

function listening(redis: Redis, onError: ErrorListener): Redis {
  redis.on('error', (error: unknown) => onError(error instanceof Error ? error : new Error(String(error))));
  return redis;
}
