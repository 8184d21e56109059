import { setTimeout as delay } from 'node:timers/promises';
import pTimeout, { TimeoutError } from 'p-timeout';
import { troubleOf } from './cluster-trouble.ts';
import type { RedisConnection } from './connection.ts';
import { isConnectionLost } from './redis-errors.ts';

/** The pause after a lost connection, before the client has noticed the loss. */
const PAUSE_MS = 50;

/**
 * Runs `work` when the connection is ready, and again when the connection is lost meanwhile. A server or a load balancer
 * may have closed an idle connection, or Redis may have become a replica; a new connection is soon open. `work` must be
 * safe to repeat. After `limitMs`, throws the last error of the connection or of `work`, or a `TimeoutError`.
 */
export async function whenReachable<Result>(
  redis: RedisConnection,
  limitMs: number,
  work: () => Promise<Result>,
): Promise<Result> {
  const endsAt = performance.now() + limitMs;
  const leftMs = (): number => Math.max(0, endsAt - performance.now());
  let lost: unknown;
  while (leftMs() > 0) {
    await ready(redis, leftMs()).catch((error: unknown) => {
      throw lost ?? error;
    });
    try {
      return await pTimeout(work(), { milliseconds: leftMs() });
    } catch (error) {
      lost = error instanceof TimeoutError ? (lost ?? error) : error;
      if (!isConnectionLost(error)) break;
    }
    await delay(Math.min(PAUSE_MS, leftMs()));
  }
  throw lost;
}

/** Resolves when the connection is open. After `limitMs`, throws its last error; at once when it is closed for good. */
async function ready(redis: RedisConnection, limitMs: number): Promise<void> {
  if (redis.status === 'ready') return;
  if (redis.status === 'end') throw connectionClosed();
  const opening = openings.get(redis) ?? new Opening(redis);
  openings.set(redis, opening);
  try {
    await pTimeout(opening.done, { milliseconds: Math.max(0, limitMs) });
  } catch (error) {
    throw troubleOf(redis) ?? opening.lastError ?? error;
  }
}

/** The connections that are being opened. All calls that wait for one share its listeners. */
const openings = new WeakMap<RedisConnection, Opening>();

class Opening {
  readonly done: Promise<void>;
  lastError: unknown;

  constructor(redis: RedisConnection) {
    const noteError = (error: unknown): unknown => (this.lastError = error);
    const opened = new Promise<void>((resolve, reject) => {
      redis.on('error', noteError).once('ready', resolve);
      redis.once('end', () => reject(connectionClosed()));
    });
    this.done = opened.finally(() => {
      openings.delete(redis);
      redis.off('error', noteError);
    });
    // Every call that waits may have given up before.
    this.done.catch(() => undefined);
  }
}

function connectionClosed(): Error {
  return new Error('Connection is closed.');
}
