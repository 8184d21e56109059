import type { EventEmitter } from 'node:events';
import { z } from 'zod';
import { jobIdText } from '../domain/safe-text.ts';
import type { RedisConnection } from './connection.ts';
import { DAY_S, JOB_BYTES_MAX } from './job.ts';
import { connectionOf, type KeyedQueue, LISTS, SORTED_SETS } from './lost-job.ts';

/** Under the prefix of Baton. The newest entry is the first. */
const SET_ASIDE_KEY = 'set-aside';
const SET_ASIDE_MAX = 100;
const SET_ASIDE_FOR_S = 14 * DAY_S;
/** Longer bodies are cut. */
const BODY_CHARS_MAX = 16 * 1024;

const setAsideJob = z.object({
  queue: z.string(),
  jobId: z.string(),
  at: z.string().describe('When the job was set aside, in ISO format.'),
  problem: z.string(),
  body: z.string().describe('The raw body of the job: its fields as they are stored in Redis.'),
});

export type SetAsideJob = z.output<typeof setAsideJob>;

/** An error for the log: BullMQ cannot run a job, and no caller receives the error. */
export class JobSetAside extends Error {
  override readonly name = 'JobSetAside';

  constructor(queueName: string, jobId: string, problem: string) {
    super(`job ${jobIdText(jobId)} of the queue ${queueName} ${problem}; it was set aside, see \`baton doctor\``);
  }
}

/**
 * Moves a job out of its queue if the job is still as it was read: `ARGV[2]` is the type of its key, `ARGV[3]` and `ARGV[4]`
 * are its data and options. `KEYS[1]` is the key of the job, `KEYS[2]` the list of jobs that are set aside, `KEYS[3]` to
 * `KEYS[5]` are lists, and the following five are sorted sets that can hold the id `ARGV[1]`.
 */
const SET_ASIDE = `
  local kind = redis.call('type', KEYS[1]).ok
  if kind ~= ARGV[2] then return 0 end
  if kind == 'hash' then
    local found = redis.call('hmget', KEYS[1], 'data', 'opts', 'deid')
    if (found[1] or '') ~= ARGV[3] or (found[2] or '') ~= ARGV[4] then return 0 end
    if found[3] and redis.pcall('get', ARGV[8] .. 'de:' .. found[3]) == ARGV[1] then
      redis.call('del', ARGV[8] .. 'de:' .. found[3], ARGV[8] .. 'dn:' .. found[3])
    end
  end
  for i = 3, 5 do redis.pcall('lrem', KEYS[i], 0, ARGV[1]) end
  for i = 6, 10 do redis.pcall('zrem', KEYS[i], ARGV[1]) end
  redis.call('del', KEYS[1], KEYS[1] .. ':lock', KEYS[1] .. ':logs')
  if redis.call('type', KEYS[2]).ok ~= 'list' then redis.call('del', KEYS[2]) end
  redis.call('lpush', KEYS[2], ARGV[5])
  redis.call('ltrim', KEYS[2], 0, ARGV[6] - 1)
  redis.call('expire', KEYS[2], ARGV[7])
  return 1`;

/**
 * Sets a job aside if BullMQ cannot read it: it would throw an error before Baton's handler runs, again and again. The raw
 * body is kept for a person, and the queue emits a {@link JobSetAside}. Returns false when the job can be read, or is gone.
 * An operation that MongoDB has continues with a new job, which reconcile adds.
 */
export async function setAsideIfUnreadable(queue: KeyedQueue, jobId: string): Promise<boolean> {
  const redis = connectionOf(queue);
  const raw = await readRaw(redis, queue.toKey(jobId));
  if (!raw) return false;
  const problem = problemOf(raw);
  if (problem === undefined) return false;
  const entry: SetAsideJob = {
    ...{ queue: queue.name, jobId: jobIdText(jobId), at: new Date().toISOString(), problem },
    body: JSON.stringify(textsOf(raw)).slice(0, BODY_CHARS_MAX),
  };
  const names = [...LISTS, ...SORTED_SETS].map((name) => queue.toKey(name));
  const keys = [queue.toKey(jobId), setAsideKey(queue.opts.prefix ?? ''), ...names];
  const { data = '', opts = '' } = raw.fields;
  const limits = [SET_ASIDE_MAX, SET_ASIDE_FOR_S];
  const values = [jobId, raw.type, data, opts, JSON.stringify(entry), ...limits, queue.toKey('')];
  const isSetAside = (await redis.eval(SET_ASIDE, keys.length, ...keys, ...values)) === 1;
  if (isSetAside) (queue as unknown as EventEmitter).emit('error', new JobSetAside(queue.name, jobId, problem));
  return isSetAside;
}

/** Removes the entries that concern a person who is erased. */
export async function forgetSetAside(
  redis: RedisConnection,
  prefix: string,
  concerns: (entry: string) => boolean,
): Promise<void> {
  const key = setAsideKey(prefix);
  if ((await redis.type(key)) !== 'list') return;
  for (const entry of await redis.lrange(key, 0, -1)) if (concerns(entry)) await redis.lrem(key, 0, entry);
}

/** Returns the jobs that were set aside in the last two weeks, newest first. */
export async function readSetAside(redis: RedisConnection, prefix: string): Promise<readonly SetAsideJob[]> {
  const key = setAsideKey(prefix);
  if ((await redis.type(key)) !== 'list') return [];
  return (await redis.lrange(key, 0, -1)).flatMap((text) => parseEntry(text) ?? []);
}

function parseEntry(text: string): SetAsideJob | undefined {
  try {
    return setAsideJob.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

const setAsideKey = (prefix: string): string => `${prefix}:${SET_ASIDE_KEY}`;

interface RawJob {
  readonly type: string;
  /** As bytes, because damaged text need not be UTF-8. */
  readonly fields: Readonly<Record<string, Buffer>>;
}

async function readRaw(redis: RedisConnection, key: string): Promise<RawJob | undefined> {
  const type = await redis.type(key);
  if (type === 'none') return undefined;
  return { type, fields: type === 'hash' ? await redis.hgetallBuffer(key) : {} };
}

function problemOf({ type, fields }: RawJob): string | undefined {
  if (type !== 'hash') return `is a ${type} in Redis instead of a hash`;
  return problemOfFields(textsOf({ type, fields }));
}

function textsOf({ fields }: RawJob): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value.toString()]));
}

/** Returns why BullMQ cannot make a job of these fields, or `undefined`. */
export function problemOfFields(fields: Readonly<Record<string, string>>): string | undefined {
  const { name, data = '{}', opts = '{}', progress = '0', parent = 'null' } = fields;
  if (name === undefined) return 'has no name';
  if (opts.length > JOB_BYTES_MAX) return `has options of more than ${JOB_BYTES_MAX} bytes`;
  const options = parsed(opts);
  if (typeof options !== 'object' || options === null) return 'has options that are not JSON';
  if (data.length <= JOB_BYTES_MAX && parsed(data) === undefined) return 'has data that is not JSON';
  return parsed(progress) === undefined || parsed(parent) === undefined ? 'has fields that are not JSON' : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
