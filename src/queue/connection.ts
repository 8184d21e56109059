import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis';
import pTimeout from 'p-timeout';
import { Refusal } from '../domain/errors.ts';
import { isWithoutCause, troubleOf, watchCluster } from './cluster-trouble.ts';
import {
  CLUSTER_PRODUCER_OPTIONS,
  CLUSTER_WORKER_OPTIONS,
  type ConnectionOptions,
  DEFAULT_REDIS_TIMES,
  PRODUCER_OPTIONS,
  reconnection,
  type Reconnection,
  SENDER_OPTIONS,
  workerOptions,
  tlsOptions,
} from './connection-options.ts';
import { parseRedisUrl, type RedisAddress } from './redis-address.ts';

export type RedisConnection = Redis | Cluster;

export type ErrorListener = (error: Error) => void;

/** How long a command line waits for its connection. */
const OPEN_MS_MAX = 6_000;

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
  return connect(redisUrl, { ...PRODUCER, ...reconnection(false, onError) }, onError);
}

/** Opens a connection for senders in the background. A command that has no answer when the connection closes gets none. */
export function connectSender(redisUrl: string, onError: ErrorListener): RedisConnection {
  return connect(redisUrl, { ...PRODUCER, redis: SENDER_OPTIONS, ...reconnection(false, onError) }, onError);
}

/** Opens a connection in the background. Its commands wait until Redis can be reached. */
export function connectWorker(redisUrl: string, onError: ErrorListener, times = DEFAULT_REDIS_TIMES): RedisConnection {
  const options = { redis: workerOptions(times), cluster: CLUSTER_WORKER_OPTIONS };
  return connect(redisUrl, { ...options, ...reconnection(true, onError) }, onError);
}

/**
 * Runs `work` with a connection that is open, and closes the connection. Throws when Redis cannot be reached. The answers
 * of a replica are passed on.
 */
export async function withRedis<Result>(
  redisUrl: string,
  work: (redis: RedisConnection) => Promise<Result>,
): Promise<Result> {
  let onError: ErrorListener = () => undefined;
  const { retryStrategy } = reconnection(false, () => undefined);
  const onNodeError = (): void => undefined;
  const redis = connect(redisUrl, { ...PRODUCER, retryStrategy }, (error) => onError(error), onNodeError);
  try {
    // Without an offline queue, a command that is sent before the connection is ready fails.
    const opened = new Promise<void>((resolve, reject) => {
      redis.once('ready', resolve);
      onError = reject;
    });
    await pTimeout(opened, { milliseconds: OPEN_MS_MAX }).catch((error: unknown) => {
      throw troubleOf(redis) ?? error;
    });
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

type Options = Pick<Reconnection, 'retryStrategy'> &
  Partial<Reconnection> & { readonly redis: ConnectionOptions; readonly cluster: ClusterOptions };

const PRODUCER = { redis: PRODUCER_OPTIONS, cluster: CLUSTER_PRODUCER_OPTIONS };

function connect(
  redisUrl: string,
  { redis, cluster, ...reconnects }: Options,
  onError: ErrorListener,
  onNodeError = onError,
): RedisConnection {
  const address = parseRedisUrl(redisUrl);
  const { nodes, database: db, usesTls } = address;
  const common = { ...redis, ...reconnects, ...optionsOf(address) };
  const [first] = nodes;
  if (nodes.length === 1) return withListener(new Redis({ ...common, ...first, db }), onError);
  const options = {
    clusterRetryStrategy: reconnects.retryStrategy,
    ...cluster,
    ...(usesTls && { dnsLookup: keepName }),
    redisOptions: common,
  };
  const opened = new Cluster([...nodes], options);
  watchCluster(opened, { node: { ...common, ...first }, onError, onNodeError });
  return withListener(opened, (error) => {
    if (!isWithoutCause(error)) onError(error);
  });
}

/**
 * A certificate is for a name, and a server may choose its certificate by the name. By default the client of a cluster
 * connects to the IP address behind the name.
 */
const keepName: NonNullable<ClusterOptions['dnsLookup']> = (host, callback) => callback(null, host);

type AddressOptions = Pick<RedisOptions, 'username' | 'password' | 'tls' | 'family'>;

function optionsOf({ nodes, username, password, usesTls, family }: RedisAddress): AddressOptions {
  return {
    ...(username !== '' && { username }),
    ...(password !== '' && { password }),
    ...(usesTls && { tls: tlsOptions(nodes.map(({ host }) => host)) }),
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
