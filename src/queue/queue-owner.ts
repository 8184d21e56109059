import type { DatabaseAge } from '../domain/database-age.ts';
import { Refusal } from '../domain/errors.ts';
import type { RedisConnection } from './connection.ts';
import { isWrongType } from './redis-errors.ts';

/** Under the prefix of Baton: the database that the queues belong to, and how far Redis has seen it come. */
const keyOf = (prefix: string): string => `${prefix}:database`;

const TAKE = `
  if redis.call('type', KEYS[1]).ok ~= 'hash' then redis.call('del', KEYS[1]) end
  redis.call('hsetnx', KEYS[1], 'id', ARGV[1])
  return redis.call('hget', KEYS[1], 'id')`;

/** Writes fields unless the queues belong to another database by now. */
const NOTE = `
  if redis.call('hget', KEYS[1], 'id') ~= ARGV[1] then return 0 end
  redis.call('hset', KEYS[1], unpack(ARGV, 2))
  return 1`;

const REPLACE = `
  redis.call('del', KEYS[1])
  redis.call('hset', KEYS[1], 'id', ARGV[1])`;

/** A time at which MongoDB was found to be older than Redis had seen it. */
export interface WentBack {
  readonly noticedAt: Date;
  /** The last reconcile pass that the database has; `null` when it has none. */
  readonly to: Date | null;
  /** The last reconcile pass that Redis had seen. */
  readonly from: Date;
}

export interface QueueOwner {
  readonly databaseId: string;
  /** The name of the database, as the worker that started last has it; `null` before that. */
  readonly databaseName?: string | null;
  readonly age: DatabaseAge | null;
  /** The last time; `null` when it has never happened. */
  readonly wentBack: WentBack | null;
}

/** Makes the queues belong to a database if they belong to none. Returns the id of the one that they belong to. */
export async function takeQueues(redis: RedisConnection, prefix: string, databaseId: string): Promise<string> {
  return (await redis.eval(TAKE, 1, keyOf(prefix), databaseId)) as string;
}

/** Makes the queues belong to a database, whichever they belonged to. */
export async function replaceOwner(redis: RedisConnection, prefix: string, databaseId: string): Promise<void> {
  await redis.eval(REPLACE, 1, keyOf(prefix), databaseId);
}

/** Returns `null` when the queues belong to no database: no worker has used them, or Redis was emptied. */
export async function readOwner(redis: RedisConnection, prefix: string): Promise<QueueOwner | null> {
  if ((await redis.type(keyOf(prefix))) !== 'hash') return null;
  const { id, name, pass, token, at, backAt, backTo, backFrom } = await redis.hgetall(keyOf(prefix));
  if (id === undefined) return null;
  const isSeen = pass !== undefined && token !== undefined && at !== undefined;
  const [noticedAt, from] = [dateOf(backAt), dateOf(backFrom)];
  return {
    databaseId: id,
    databaseName: name ?? null,
    age: isSeen ? { pass: Number(pass), token, at: new Date(at) } : null,
    wentBack: noticedAt && from && { noticedAt, to: dateOf(backTo), from },
  };
}

/** Stores the name of the database, for people who compare two of them. */
export async function noteName(
  redis: RedisConnection,
  prefix: string,
  databaseId: string,
  name: string,
): Promise<void> {
  await redis.eval(NOTE, 1, keyOf(prefix), databaseId, 'name', name);
}

/** Stores how far the database has come, and that it has gone back if it has. */
export async function noteAge(
  redis: RedisConnection,
  prefix: string,
  { databaseId, age, wentBack }: QueueOwner & { readonly age: DatabaseAge },
): Promise<void> {
  const seen = ['pass', age.pass, 'token', age.token, 'at', age.at.toISOString()];
  const back = wentBack
    ? ['backAt', textOf(wentBack.noticedAt), 'backTo', textOf(wentBack.to), 'backFrom', textOf(wentBack.from)]
    : [];
  await redis.eval(NOTE, 1, keyOf(prefix), databaseId, ...seen, ...back);
}

/** Throws a refusal if the queues belong to another database. Returns false if they belong to none. */
async function requireOwner(redis: RedisConnection, prefix: string, databaseId: string): Promise<boolean> {
  const owner = await redis.hget(keyOf(prefix), 'id').catch((error: unknown) => {
    if (isWrongType(error)) return null;
    throw error;
  });
  if (owner !== null) refuseOther(databaseId, owner, prefix);
  return owner !== null;
}

/** How long a sender relies on a check. Queues change their database only when a person moves them. */
const CHECKED_FOR_MS = 1_000;

/**
 * Checks before each job that the queues belong to the database. It asks Redis at most once a second. The next connection may
 * lead to another Redis, so the answer is forgotten when the connection closes. The client of a cluster replaces its nodes
 * without an event, so a cluster is asked each time.
 */
export class OwnerCheck {
  private readonly redis: RedisConnection;
  private readonly prefix: string;
  private readonly databaseId: string;
  private checkedAt = -Infinity;

  constructor(redis: RedisConnection, prefix: string, databaseId: string) {
    this.redis = redis;
    this.prefix = prefix;
    this.databaseId = databaseId;
    redis.on('close', () => (this.checkedAt = -Infinity));
  }

  /** Throws a refusal if the queues belong to another database. */
  async require(): Promise<void> {
    const now = performance.now();
    if (now - this.checkedAt < CHECKED_FOR_MS) return;
    const hasOwner = await requireOwner(this.redis, this.prefix, this.databaseId);
    if (hasOwner && !this.redis.isCluster) this.checkedAt = now;
  }
}

export function refuseOther(expected: string, found: string, prefix: string): void {
  if (expected === found) return;
  throw new Refusal('other-database', {
    message:
      `the queues with the prefix ${prefix} belong to another database: give this one a BATON_QUEUE_PREFIX of its own, or ` +
      'move the queues to it with `baton adopt`',
    expected: `queues of the database ${expected}`,
    received: `queues of the database ${found}`,
  });
}

const textOf = (date: Date | null): string => date?.toISOString() ?? '';

const dateOf = (text: string | undefined): Date | null => (text === undefined || text === '' ? null : new Date(text));
