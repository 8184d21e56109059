import { isIP } from 'node:net';
import { checkServerIdentity, type ConnectionOptions as TlsOptions } from 'node:tls';
import type { ClusterOptions, RedisOptions } from 'ioredis';
import { errorText } from '../domain/safe-text.ts';
import { isFromReplica } from './redis-errors.ts';

/** A producer's command fails after this time. */
export const COMMAND_TIMEOUT_MS = 2_000;
const CONNECT_TIMEOUT_MS = 3_000;
/** A connection that is closed waits this long for the other end, which may have vanished. */
const DISCONNECT_TIMEOUT_MS = 500;
const RECONNECT_DELAY_STEP_MS = 100;
const RECONNECT_DELAY_MS_MAX = 2_000;
/** The pause before a connection to a replica is opened again, until a failover has ended. */
const REPLICA_PAUSE_MS = 1_000;

/** The time limits of connections that wait for Redis without an end. */
export interface RedisTimes {
  /** A connection is replaced when an answer is due and nothing has arrived for this time. */
  readonly silenceMs: number;
  /** How often an idle connection sends a sign of life, also on the level of TCP. */
  readonly keepAliveMs: number;
}

export const DEFAULT_REDIS_TIMES: RedisTimes = { silenceMs: 6_000, keepAliveMs: 3_000 };

/** A command that waits for a job or an event must end well before the connection counts as silent. */
export function blockMsOf({ silenceMs }: RedisTimes): number {
  return silenceMs / 2;
}

/** The options that Baton sets. One of the others cannot be passed on as a whole. */
export type ConnectionOptions = Omit<RedisOptions, 'replyMapping'>;

export type Reconnection = Required<Pick<RedisOptions, 'retryStrategy' | 'reconnectOnError'>>;

/**
 * When to connect again. A primary that becomes a replica keeps its connections open and refuses every write, so such a
 * connection is replaced. `resend` sends the refused command again; otherwise the command fails.
 */
export function reconnection(resend: boolean, onReplica: (error: Error) => void): Reconnection {
  let pausedUntil = 0;
  return {
    retryStrategy: (attempt) => {
      const delayMs = Math.min(attempt * RECONNECT_DELAY_STEP_MS, RECONNECT_DELAY_MS_MAX);
      return performance.now() < pausedUntil ? Math.max(delayMs, REPLICA_PAUSE_MS) : delayMs;
    },
    reconnectOnError: (error) => {
      if (!isFromReplica(error)) return false;
      pausedUntil = performance.now() + REPLICA_PAUSE_MS;
      // The error of the client contains the arguments of the command.
      onReplica(new Error(errorText(error)));
      return resend ? 2 : 1;
    },
  };
}

/** A producer's caller wants an error soon, so no command is queued while Redis cannot be reached. */
export const PRODUCER_OPTIONS = {
  maxRetriesPerRequest: 1,
  enableOfflineQueue: false,
  commandTimeout: COMMAND_TIMEOUT_MS,
  socketTimeout: COMMAND_TIMEOUT_MS,
  keepAlive: DEFAULT_REDIS_TIMES.keepAliveMs,
  connectTimeout: CONNECT_TIMEOUT_MS,
  disconnectTimeout: DISCONNECT_TIMEOUT_MS,
} as const satisfies ConnectionOptions;

/**
 * The client does not send an unanswered command again on its next connection, which may lead to another Redis. The sender
 * repeats its whole work there, with the check of the database first.
 */
export const SENDER_OPTIONS = {
  ...PRODUCER_OPTIONS,
  autoResendUnfulfilledCommands: false,
} as const satisfies ConnectionOptions;

/** A worker waits for jobs and for Redis without a time limit. A command timeout would interrupt its blocking reads. */
export function workerOptions({ silenceMs, keepAliveMs }: RedisTimes): ConnectionOptions {
  return {
    maxRetriesPerRequest: null,
    socketTimeout: silenceMs,
    keepAlive: keepAliveMs,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
  };
}

export const CLUSTER_PRODUCER_OPTIONS = {
  enableOfflineQueue: false,
  slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
} as const satisfies ClusterOptions;

/**
 * A worker's command waits until a replica has replaced a failed primary; if the command failed, its job would stall.
 * With Redis's defaults that takes about 15 seconds. Each retry uses one or two redirections, so 300 last about 40 seconds.
 */
export const CLUSTER_WORKER_OPTIONS = {
  maxRedirections: 300,
  retryDelayOnFailover: 250,
  retryDelayOnClusterDown: 250,
  slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
} as const satisfies ClusterOptions;

/**
 * Checks the certificate of each node. A cluster may name its nodes by their IP addresses although their certificates
 * carry only host names; then the certificate must be for one of the hosts of the address of Redis.
 */
export function tlsOptions(hosts: readonly string[]): TlsOptions {
  const names = hosts.filter((host) => isIP(host) === 0);
  return {
    checkServerIdentity: (host, certificate) => {
      const problem = checkServerIdentity(host, certificate);
      if (problem === undefined || isIP(host) === 0) return problem;
      return names.some((name) => checkServerIdentity(name, certificate) === undefined) ? undefined : problem;
    },
  };
}
