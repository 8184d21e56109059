import { randomUUID } from 'node:crypto';
import { Refusal } from '../domain/errors.ts';
import { refusalOf, type RedisConnection } from './connection.ts';
import { meaningOf, MODE_OF_CLUSTER } from './redis-errors.ts';

/** How long the key of a trial lives if the process dies before it is deleted. */
const TRIAL_KEY_MS = 10_000;

const SET_AND_DELETE = `redis.call('set', KEYS[1], '1', 'PX', ARGV[1]) return redis.call('del', KEYS[1])`;

/** A kind of command that Baton needs and Redis refused. */
export interface RedisProblem {
  /** The kind, such as "write keys". */
  readonly kind: string;
  /** What is wrong and what to do. */
  readonly words: string;
  /** The kind and the words in one sentence, without the words of the address. */
  readonly message: string;
  /** False for an error that passes by itself, such as a full memory or a failover. */
  readonly isPermanent: boolean;
}

type Trial = (redis: RedisConnection, key: string, prefix: string) => Promise<unknown>;

/** One node of a cluster answers the keys that it has, and redirects the others. After a failover it has no keys. */
async function readState(redis: RedisConnection): Promise<void> {
  const state = await redis.info('server');
  if (!redis.isCluster && state.includes(MODE_OF_CLUSTER)) throw new Error(MODE_OF_CLUSTER);
}

/** If MULTI is refused, the error of EXEC only says that it is missing. */
async function useTransaction(redis: RedisConnection, key: string): Promise<void> {
  await redis
    .multi()
    .get(key)
    .exec()
    .catch((error: Error & { readonly previousErrors?: readonly Error[] }) => {
      throw error.previousErrors?.[0] ?? error;
    });
}

/** One command of each kind that producers and workers send. Each concerns only keys and channels of Baton's prefix. */
const TRIALS: Readonly<Record<string, Trial>> = {
  'read keys': (redis, key) => redis.get(key),
  'write keys': (redis, key) => redis.set(key, '1', 'PX', TRIAL_KEY_MS),
  'run scripts': (redis, key) => redis.eval(SET_AND_DELETE, 1, key, TRIAL_KEY_MS),
  'use two keys at once': (redis, key, prefix) => redis.del(key, `${prefix}:trial:other`),
  'use transactions': useTransaction,
  'wait for jobs': (redis, key) => redis.zpopmin(`${key}:sorted`),
  'add events': (redis, key) => redis.xtrim(`${key}:events`, 'MAXLEN', 0),
  'publish messages': (redis, _key, prefix) => redis.publish(`${prefix}:trial`, ''),
  'read the state of the server': readState,
  'list clients': (redis) => redis.call('CLIENT', 'LIST', 'ID', '0'),
};

/** Sends one command of each kind. Returns the kinds that Redis refused. */
export async function tryRedis(redis: RedisConnection, prefix: string): Promise<RedisProblem[]> {
  const key = `${prefix}:trial:${randomUUID()}`;
  const problems: RedisProblem[] = [];
  for (const [kind, trial] of Object.entries(TRIALS)) {
    try {
      await trial(redis, key, prefix);
    } catch (error) {
      problems.push(problemOf(kind, error));
    }
  }
  return problems;
}

function problemOf(kind: string, error: unknown): RedisProblem {
  const text = error instanceof Error ? error.message : '';
  const unknown = { words: `Redis refuses it with ${/^[A-Z]+/.exec(text)?.[0] ?? 'an error'}`, isPermanent: false };
  const { words, isPermanent } = meaningOf(error) ?? unknown;
  return { kind, words, message: `Redis does not let Baton ${kind}: ${words}`, isPermanent };
}

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 10_000;

export interface WaitForRedis {
  readonly sleep: (ms: number) => Promise<unknown>;
  /** Called with the first problem before each pause. */
  readonly onProblem: (problem: RedisProblem) => void;
}

/**
 * Resolves when one command of each kind has succeeded. Repeats what passes by itself, with growing pauses. Throws a
 * `bad-config` refusal for an error that stays.
 */
export async function requireWorkingRedis(
  redis: RedisConnection,
  prefix: string,
  { sleep, onProblem }: WaitForRedis,
): Promise<void> {
  for (let pauseMs = RETRY_MS_MIN; ; pauseMs = Math.min(pauseMs * 2, RETRY_MS_MAX)) {
    const problems = await tryRedis(redis, prefix);
    if (redis.status === 'end') throw refusalOf(redis) ?? new Error('the connection to Redis is closed');
    const worst = problems.find(({ isPermanent }) => isPermanent) ?? problems[0];
    if (!worst) return;
    if (worst.isPermanent) throw refusedBy(problems);
    onProblem(worst);
    await sleep(pauseMs);
  }
}

/** Without the right password, every kind of command fails for the same reason, which is then given once. */
function refusedBy(problems: readonly RedisProblem[]): Refusal {
  const isForAll =
    problems.length === Object.keys(TRIALS).length && new Set(problems.map(({ words }) => words)).size === 1;
  const named = isForAll ? problems.slice(0, 1) : problems;
  const received = named.map(({ words, message }) => (isForAll ? words : message)).join('; ');
  return new Refusal('bad-config', {
    message: received,
    expected: 'a Redis that accepts each kind of command',
    received,
  });
}
