import { Cluster, Redis, type RedisOptions } from 'ioredis';

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

/** One server, or a cluster of them: what is asked of either is the same. */
export type RedisConnection = Redis | Cluster;

export type ErrorListener = (error: Error) => void;

/**
 * Connects in the background. Without a listener a lost connection would end the process. Several addresses, separated
 * by commas, are nodes of one Redis Cluster.
 */
export function connectProducer(redisUrl: string, onError: ErrorListener): RedisConnection {
  return listening(connect(redisUrl, PRODUCER_OPTIONS), onError);
}

export function connectWorker(redisUrl: string, onError: ErrorListener): RedisConnection {
  return listening(connect(redisUrl, WORKER_OPTIONS), onError);
}

/**
 * A worker's command is kept until a replica has taken over, rather than failed and its job left to stall. At Redis's
 * default settings a primary is given up after fifteen seconds; a retry comes after this delay and uses up one or two of
 * the redirections, so they last for some forty.
 */
const CLUSTER_PATIENCE = { maxRedirections: 300, retryDelayOnFailover: 250, retryDelayOnClusterDown: 250 } as const;

type Options = typeof PRODUCER_OPTIONS | typeof WORKER_OPTIONS;

function connect(redisUrl: string, options: Options): RedisConnection {
  const [first = '', ...others] = redisUrl.split(',');
  if (others.length === 0) return new Redis(first, options);
  const { username, password, protocol } = new URL(first);
  return new Cluster([first, ...others], {
    clusterRetryStrategy: retryStrategy,
    ...(options === WORKER_OPTIONS ? CLUSTER_PATIENCE : { enableOfflineQueue: false }),
    redisOptions: {
      ...options,
      ...(username !== '' && { username: decodeURIComponent(username) }),
      ...(password !== '' && { password: decodeURIComponent(password) }),
      ...(protocol === 'rediss:' && { tls: {} }),
    },
  });
}

function listening(redis: RedisConnection, onError: ErrorListener): RedisConnection {
  redis.on('error', (error: unknown) => onError(error instanceof Error ? error : new Error(String(error))));
  return redis;
}
