import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { Refusal } from '../domain/errors.ts';
import { parseRedisUrl, type RedisAddress } from './redis-address.ts';

/** A producer's command fails after this time. */
export const COMMAND_TIMEOUT_MS = 2_000;
const CONNECT_TIMEOUT_MS = 3_000;
const RECONNECT_DELAY_STEP_MS = 100;
const RECONNECT_DELAY_MS_MAX = 2_000;

const retryStrategy = (attempt: number): number => Math.min(attempt * RECONNECT_DELAY_STEP_MS, RECONNECT_DELAY_MS_MAX);

/** A producer's caller wants an error soon, so no command is queued while Redis cannot be reached. */
const PRODUCER_OPTIONS = {
  maxRetriesPerRequest: 1,
  enableOfflineQueue: false,
  commandTimeout: COMMAND_TIMEOUT_MS,
  connectTimeout: CONNECT_TIMEOUT_MS,
  retryStrategy,
} as const satisfies RedisOptions;

/** A worker waits for jobs and for Redis without a time limit. A command timeout would interrupt its blocking reads. */
const WORKER_OPTIONS = {
  maxRetriesPerRequest: null,
  connectTimeout: CONNECT_TIMEOUT_MS,
  retryStrategy,
} as const satisfies RedisOptions;

/**
 * A worker's command waits until a replica has replaced a failed primary; if the command failed, its job would stall.
 * With Redis's defaults that takes about 15 seconds. Each retry uses one or two redirections, so 300 last about 40 seconds.
 */
const CLUSTER_WORKER_OPTIONS = {
  maxRedirections: 300,
  retryDelayOnFailover: 250,
  retryDelayOnClusterDown: 250,
} as const;

export type RedisConnection = Redis | Cluster;

export type ErrorListener = (error: Error) => void;

/** The event of errors that the connection itself reports. BullMQ's queues pass the same errors on. */
export const CONNECTION_FAILED = 'connection to Redis failed';

/** Returns a listener that reports its errors with this sentence, which says what failed. */
export type ErrorReporter = (event: string) => ErrorListener;

export interface QueueAddress {
  /** One address, or several nodes of one Redis Cluster separated by commas. */
  readonly redisUrl: string;
  readonly prefix: string;
}

/** Opens a connection in the background. Its commands fail soon when Redis cannot be reached. */
export function connectProducer(redisUrl: string, onError: ErrorListener): RedisConnection {
  return withListener(connect(redisUrl, PRODUCER_OPTIONS), onError);
}

/** Opens a connection in the background. Its commands wait until Redis can be reached. */
export function connectWorker(redisUrl: string, onError: ErrorListener): RedisConnection {
  return withListener(connect(redisUrl, WORKER_OPTIONS), onError);
}

/** Runs `work` with a connection that is open, and closes the connection. Throws when Redis cannot be reached. */
export async function withRedis<Result>(
  redisUrl: string,
  work: (redis: RedisConnection) => Promise<Result>,
): Promise<Result> {
  let onError: ErrorListener = () => undefined;
  const redis = connectProducer(redisUrl, (error) => onError(error));
  try {
    // Without an offline queue, a command that is sent before the connection is ready fails.
    await new Promise<void>((resolve, reject) => {
      redis.once('ready', resolve);
      onError = reject;
    });
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

type Options = typeof PRODUCER_OPTIONS | typeof WORKER_OPTIONS;

function connect(redisUrl: string, options: Options): RedisConnection {
  const address = parseRedisUrl(redisUrl);
  const { nodes, database, ...who } = address;
  const common = { ...options, ...optionsOf(who) };
  const [first] = nodes;
  if (nodes.length === 1 && first) return new Redis({ ...common, ...first, db: database });
  return new Cluster([...nodes], {
    clusterRetryStrategy: retryStrategy,
    ...(options === WORKER_OPTIONS ? CLUSTER_WORKER_OPTIONS : { enableOfflineQueue: false }),
    redisOptions: common,
  });
}

type AddressOptions = Pick<RedisOptions, 'username' | 'password' | 'tls' | 'family'>;

function optionsOf({ username, password, usesTls, family }: Omit<RedisAddress, 'nodes' | 'database'>): AddressOptions {
  return {
    ...(username !== '' && { username }),
    ...(password !== '' && { password }),
    ...(usesTls && { tls: {} }),
    ...(family !== undefined && { family }),
  };
}

/** The errors after which a connection was closed for good. */
const closedBy = new WeakMap<RedisConnection, Refusal>();

/** Returns why a connection was closed for good, or `undefined`. */
export function refusalOf(redis: RedisConnection): Refusal | undefined {
  return closedBy.get(redis);
}

/** An `error` event without a listener would end the process. */
function withListener(redis: RedisConnection, onError: ErrorListener): RedisConnection {
  redis.on('error', (error: unknown) => {
    if (!isUnknownDatabase(error)) return onError(error instanceof Error ? error : new Error(String(error)));
    const refusal = unknownDatabase();
    closedBy.set(redis, refusal);
    redis.disconnect();
    onError(refusal);
  });
  return redis;
}

/** The client would use database 0 instead, with the keys of other programs in it. */
function isUnknownDatabase(error: unknown): boolean {
  const { command } = error as { readonly command?: { readonly name?: unknown } };
  return command?.name === 'select';
}

function unknownDatabase(): Refusal {
  return new Refusal('bad-config', {
    message: 'Redis refuses the database number in the address of Redis; use a smaller number, or none for number 0',
    expected: 'the number of a database that Redis has and the user may select',
    received: 'another number',
  });
}
