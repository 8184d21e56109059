import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import pTimeout, { TimeoutError } from 'p-timeout';
import { troubleOf } from './cluster-trouble.ts';
import type { RedisConnection } from './connection.ts';
import { isConnectionLost } from './redis-errors.ts';

/** The pause after a lost connection, before the client has noticed the loss. */
const PAUSE_MS = 50;

interface Limits {
  readonly limitMs: number;
  /** Aborted when nobody waits any more. */
  readonly signal: AbortSignal;
}

/** Returns a controller for the end of many calls. Node warns of a leak when more than ten listen to one signal. */
export function newClosing(): AbortController {
  const closing = new AbortController();
  setMaxListeners(0, closing.signal);
  return closing;
}

/**
 * Runs `work` when the connection is ready, and again when the connection is lost meanwhile. A server or a load balancer
 * may have closed an idle connection, or Redis may have become a replica; a new connection is soon open. `work` must be
 * safe to repeat. After `limitMs`, throws the last error of the connection or of `work`, or a `TimeoutError`.
 */
export async function whenReachable<Result>(
  redis: RedisConnection,
  { limitMs, signal }: Limits,
  work: () => Promise<Result>,
): Promise<Result> {
  const endsAt = performance.now() + limitMs;
  const leftMs = (): number => Math.max(0, endsAt - performance.now());
  let lost: unknown;
  while (leftMs() > 0) {
    await ready(redis, { limitMs: leftMs(), signal }).catch((error: unknown) => {
      throw lost ?? error;
    });
    try {
      return await pTimeout(untilClosed(redis, work), { milliseconds: Math.max(1, leftMs()), signal });
    } catch (error) {
      lost = error instanceof TimeoutError ? (lost ?? error) : error;
      if (!isConnectionLost(error)) break;
    }
    await delay(Math.min(PAUSE_MS, leftMs()), undefined, { signal });
  }
  throw lost;
}

/** Waits for `work`. Fails when the connection closes first, because a sender's connection drops its unanswered commands. */
async function untilClosed<Result>(redis: RedisConnection, work: () => Promise<Result>): Promise<Result> {
  const works = worksOver(redis);
  let fail = (): void => undefined;
  const closed = new Promise<never>((_, reject) => {
    fail = () => reject(connectionClosed());
  });
  works.add(fail);
  try {
    return await Promise.race([work(), closed]);
  } finally {
    works.delete(fail);
  }
}

/** For each connection, the functions that fail the work in progress. They share one listener. */
const worksInProgress = new WeakMap<RedisConnection, Set<() => void>>();

function worksOver(redis: RedisConnection): Set<() => void> {
  const known = worksInProgress.get(redis);
  if (known) return known;
  const works = new Set<() => void>();
  worksInProgress.set(redis, works);
  redis.on('close', () => {
    for (const fail of works) fail();
  });
  return works;
}

/** Resolves when the connection is open. After `limitMs`, throws its last error; at once when it is closed for good. */
async function ready(redis: RedisConnection, { limitMs, signal }: Limits): Promise<void> {
  if (redis.status === 'ready') return;
  if (redis.status === 'end') throw connectionClosed();
  const opening = openings.get(redis) ?? new Opening(redis);
  openings.set(redis, opening);
  try {
    await pTimeout(opening.done, { milliseconds: limitMs, signal });
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
    let noteReady = (): void => undefined;
    let noteEnd = (): void => undefined;
    const opened = new Promise<void>((resolve, reject) => {
      noteReady = resolve;
      noteEnd = () => reject(connectionClosed());
      redis.on('error', noteError).once('ready', noteReady).once('end', noteEnd);
    });
    this.done = opened.finally(() => {
      openings.delete(redis);
      redis.off('error', noteError).off('ready', noteReady).off('end', noteEnd);
    });
    // Every call that waits may have given up before.
    this.done.catch(() => undefined);
  }
}

function connectionClosed(): Error {
  return new Error('Connection is closed.');
}
