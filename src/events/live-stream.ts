import type { RedisConnection } from '../queue/connection.ts';
import { isWrongType } from '../queue/redis-errors.ts';
import { parseChange, type Change } from './change.ts';

/**
 * The stream of a campaign keeps about this many changes: the last minutes of a busy campaign. A change has up to 6 KiB, so
 * the stream of a campaign has up to 12 MiB.
 */
export const CHANGES_KEPT_MAX = 2_000;
/** A campaign on which nothing happens for this time costs no memory. */
const KEPT_MS = 24 * 3_600_000;

/**
 * Adds a change with the version after the last one. A new stream starts with the time in milliseconds, which is larger than
 * any version before: so a lost stream is noticed. A key of another type is replaced.
 */
const APPEND = `
  if redis.call('type', KEYS[1]).ok ~= 'stream' then redis.call('del', KEYS[1]) end
  local last = redis.call('xrevrange', KEYS[1], '+', '-', 'COUNT', 1)[1]
  local version = last and tonumber(last[2][2])
  if not version then
    local now = redis.call('time')
    version = now[1] * 1000 + math.floor(now[2] / 1000)
  end
  redis.call('xadd', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'version', string.format('%.0f', version + 1), 'change', ARGV[3])
  return redis.call('pexpire', KEYS[1], ARGV[2])`;

const DELETE_DAMAGED = `
  for _, key in ipairs(KEYS) do
    local type = redis.call('type', key).ok
    if type ~= 'stream' and type ~= 'none' then redis.call('del', key) end
  end`;

/** A place in the stream of a campaign: the id that Redis has given, and the version, which grows by 1. */
export interface Position {
  readonly id: string;
  readonly version: number;
}

/** The position in a stream that does not exist. */
export const NO_CHANGES: Position = { id: '0-0', version: 0 };

/** One change in the stream. `change` is `undefined` when it cannot be read. */
export interface Entry extends Position {
  readonly change: Change | undefined;
}

export function streamKey(prefix: string, campaignId: string): string {
  return `${prefix}:live:${campaignId}`;
}

export async function append(redis: RedisConnection, key: string, change: Change): Promise<void> {
  await redis.eval(APPEND, 1, key, CHANGES_KEPT_MAX, KEPT_MS, JSON.stringify(change));
}

/** Reads the position of the newest change. A key of another type is deleted, and counts as no stream. */
export async function readTail(redis: RedisConnection, key: string): Promise<Position> {
  const read = redis.xrevrange(key, '+', '-', 'COUNT', 1);
  const [newest] = await read.catch(async (error: unknown): Promise<StoredEntry[]> => {
    if (!isWrongType(error)) throw error;
    await deleteDamaged(redis, [key]);
    return [];
  });
  if (!newest) return NO_CHANGES;
  const { id, version } = toEntry(newest);
  return { id, version };
}

/** Reads at most `limit` changes after a position, oldest first. */
export async function readAfter(
  redis: RedisConnection,
  key: string,
  { id }: Position,
  limit: number,
): Promise<readonly Entry[]> {
  return (await redis.xrange(key, `(${id}`, '+', 'COUNT', limit)).map(toEntry);
}

/** Deletes the keys that are no streams. One of them fails the read of all. */
export async function deleteDamaged(redis: RedisConnection, keys: readonly string[]): Promise<void> {
  await redis.eval(DELETE_DAMAGED, keys.length, ...keys);
}

export type StoredEntry = readonly [id: string, fields: readonly string[]];

export function toEntry([id, fields]: StoredEntry): Entry {
  const valueOf = (name: string): string => fields[fields.indexOf(name) + 1] ?? '';
  return { id, version: Number(valueOf('version')) || 0, change: parseChange(valueOf('change')) };
}

/** Compares two ids of entries, as Redis orders them. */
export function compareIds(a: string, b: string): number {
  const [aMs = 0, aSequence = 0] = a.split('-').map(Number);
  const [bMs = 0, bSequence = 0] = b.split('-').map(Number);
  return aMs - bMs || aSequence - bSequence;
}

/** Returns true when no change can be missing between a position and the entry. */
export function follows(entry: Entry, { version }: Position): boolean {
  return entry.change?.isAfterGap === false && (entry.version === version + 1 || version === NO_CHANGES.version);
}
