import { z } from 'zod';
import { Refusal } from './domain/errors.ts';
import type { MongoOptions } from './mongo/connect.ts';
import { httpEnvironment, toHttpConfig, type HttpConfig } from './http-config.ts';
import { BATCHES_IN_FLIGHT_LIMIT } from './domain/in-flight.ts';
import { reportProblem, ruleOf } from './domain/requests.ts';
import { problemOfMongodbUri } from './mongo/mongodb-address.ts';
import { DEFAULT_REDIS_TIMES, type RedisTimes } from './queue/connection-options.ts';
import { DEFAULT_QUEUE_PREFIX, QUEUE_PREFIX, QUEUE_PREFIX_RULE } from './queue/job.ts';
import { problemOfRedisUrl } from './queue/redis-address.ts';

const DEFAULT_BATCH_CONVERSATIONS = 2_000;
const RECEIPTS_KEPT_DAYS_MAX = 36_500;
/** A listing reads the whole queue of a campaign. */
const QUEUED_LIMIT = 1_000_000;

/** A worker renews a lock twice in this time, also while it is busy with a batch. With less, jobs lose their locks. */
const LOCK_MS_MIN = 1_000;
/** With less, the checks take all the time of Redis. */
const CHECK_EVERY_MS_MIN = 100;
/** With less, BullMQ could not replace a connection that waits for jobs before it counts as silent. */
const REDIS_SILENCE_MS_MIN = 4_000;
/** With less, Redis would answer more signs of life than requests. */
const REDIS_KEEP_ALIVE_MS_MIN = 100;
/** With less, no transaction could end, and every stop would be cut off. */
const CLOSE_TIMEOUT_MS_MIN = 100;
/** With less, the first connection to the database is never ready in time. */
const SELECTION_TIMEOUT_MS_MIN = 100;

const ms = (byDefault: number, min = 1) => z.coerce.number().int().min(min).max(86_400_000).default(byDefault);
const count = (byDefault: number) => z.coerce.number().int().min(1).max(1_000).default(byDefault);

/** Every variable that Baton reads. `.env.example` is generated from it. */
export const environment = z.object({
  MONGODB_URI: z
    .string()
    .superRefine(reportProblem(problemOfMongodbUri))
    .describe(
      'The address of the database. It must be a replica set, because each batch is one transaction. An address without the ' +
        'name of a database means baton.',
    ),
  REDIS_URL: z
    .string()
    .superRefine(reportProblem(problemOfRedisUrl))
    .describe(
      'The address of Redis, or the nodes of one cluster separated by commas. Redis should keep an append-only file ' +
        'and use the policy noeviction. rediss:// uses TLS; NODE_EXTRA_CA_CERTS names the file of an own authority.',
    ),
  BATON_QUEUE_PREFIX: z
    .string()
    .regex(QUEUE_PREFIX, QUEUE_PREFIX_RULE)
    .default(DEFAULT_QUEUE_PREFIX)
    .describe('The prefix of every key in Redis. Braces keep the keys in one slot of a cluster.'),
  BATON_REDIS_SILENCE_MS: ms(DEFAULT_REDIS_TIMES.silenceMs, REDIS_SILENCE_MS_MIN).describe(
    'How long a worker waits for an answer of Redis before it replaces the connection, in milliseconds. It waits for ' +
      'jobs for half of this time, and then asks again.',
  ),
  BATON_REDIS_KEEP_ALIVE_MS: ms(DEFAULT_REDIS_TIMES.keepAliveMs, REDIS_KEEP_ALIVE_MS_MIN).describe(
    'How often a worker sends a sign of life over an idle connection to Redis, in milliseconds.',
  ),
  BATON_LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('The lowest level of messages that are logged.'),
  BATON_OPERATION_CONCURRENCY: count(8).describe('How many bulk operations one worker process runs at the same time.'),
  BATON_PREVIEW_CONCURRENCY: count(2).describe('How many previews one worker process runs at the same time.'),
  BATON_CLAIM_CONCURRENCY: count(200).describe(
    'How many claims one worker process serves at the same time. Claims of one campaign are served together.',
  ),
  BATON_BATCH_CONVERSATIONS_MAX: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(DEFAULT_BATCH_CONVERSATIONS)
    .describe('The most conversations that one batch or one round of claims moves in one transaction.'),
  BATON_BATCHES_IN_FLIGHT_MAX: z.coerce
    .number()
    .int()
    .min(1)
    .max(BATCHES_IN_FLIGHT_LIMIT)
    .default(2)
    .describe('How many batches of one operation are applied at the same time.'),
  BATON_ROUND_REPEATED_FOR_MS: ms(2_000).describe(
    'How long a round of claims is repeated while other programs write the same conversations, in milliseconds.',
  ),
  BATON_SLICE_MS: ms(2_000).describe(
    'How long an operation runs before its job goes to the back of the queue, in milliseconds.',
  ),
  BATON_LOCK_MS: ms(8_000, LOCK_MS_MIN).describe(
    'How long a job may go without a sign of life from its worker before another worker runs it, in milliseconds.',
  ),
  BATON_STALLED_CHECK_MS: ms(3_000, CHECK_EVERY_MS_MIN).describe(
    'How often a worker checks for jobs whose worker has died, in milliseconds.',
  ),
  BATON_QUEUED_MAX: z.coerce
    .number()
    .int()
    .min(1)
    .max(QUEUED_LIMIT)
    .default(20_000)
    .describe('How many operations of one campaign may wait for others.'),
  BATON_COUNTS_SHARED_FOR_MS: ms(1_000, 0).describe(
    'How long previews of one campaign share one count, in milliseconds. 0 counts anew for each.',
  ),
  BATON_RECONCILE_EVERY_MS: ms(30_000, CHECK_EVERY_MS_MIN).describe(
    'How often a reconcile pass restores lost jobs and removes old operations, in milliseconds.',
  ),
  BATON_RECEIPTS_KEPT_DAYS: z.coerce
    .number()
    .int()
    .min(0)
    .max(RECEIPTS_KEPT_DAYS_MAX)
    .default(90)
    .describe('How long ended operations are kept with their receipts, in days. 0 keeps them for ever.'),
  BATON_NEWER_WAIT_MS: ms(3_600_000).describe(
    'How long a job of a newer version waits for a worker that knows it before it is refused, in milliseconds.',
  ),
  BATON_CLOSE_TIMEOUT_MS: ms(15_000, CLOSE_TIMEOUT_MS_MIN).describe(
    'How long a worker may take to finish the transactions in progress when it is stopped, in milliseconds.',
  ),
  BATON_MONGODB_CONNECTIONS_MAX: count(50).describe('The most connections of one process to the database.'),
  BATON_MONGODB_SELECTION_TIMEOUT_MS: ms(5_000, SELECTION_TIMEOUT_MS_MIN).describe(
    'How long a command waits for the database to become reachable, in milliseconds.',
  ),
  ...httpEnvironment,
});

type Environment = z.output<typeof environment>;

/** The checked configuration of a process. Tests create it without an environment. */
export interface Config {
  readonly mongo: MongoOptions;
  readonly queue: { readonly redisUrl: string; readonly prefix: string };
  readonly redis: RedisTimes;
  readonly log: { readonly level: Environment['BATON_LOG_LEVEL'] };
  readonly worker: WorkerConfig;
  readonly http: HttpConfig;
}

export interface WorkerConfig {
  readonly operationConcurrency: number;
  readonly previewConcurrency: number;
  readonly claimConcurrency: number;
  readonly batchConversationsMax: number;
  readonly batchesInFlightMax: number;
  readonly roundRepeatedForMs: number;
  readonly sliceMs: number;
  readonly lockMs: number;
  readonly stalledCheckMs: number;
  readonly queuedMax: number;
  readonly reconcileEveryMs: number;
  readonly receiptsKeptDays: number;
  readonly newerWaitMs: number;
  /** How long previews of one campaign share one count. */
  readonly countsSharedForMs: number;
  readonly closeTimeoutMs: number;
}

const YOUNG_GENERATION = ['--max-semi-space-size=16', '--min-semi-space-size=16'] as const;

/**
 * The options of Node for a worker process.
 *
 * The objects of a batch live for about 100 ms. In Node's default young generation they survive several collections and
 * count as long-lived, and a worker spent half its time collecting them. Hence a young generation of 16 MiB from the start.
 * The old generation is collected after it has grown by half instead of fourfold, so that the memory of a worker does not
 * depend on the number of conversations in an operation, an import or an export.
 */
export const WORKER_NODE_FLAGS = [...YOUNG_GENERATION, '--heap-growing-percent=50'] as const;

/**
 * The options of Node for an HTTP server. During an upsert of 100,000 conversations, more than half of what it has over idle is
 * garbage in the old generation, which is collected sooner than that of a worker.
 */
export const SERVER_NODE_FLAGS = [...YOUNG_GENERATION, '--heap-growing-percent=30'] as const;

/** Reads and checks the environment. Throws a `bad-config` refusal that names every wrong variable, but no values. */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  // Compose files and shells set an unset variable to the empty string.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = environment.safeParse(given, { error: ruleOf });
  if (!parsed.success) throw badConfig(parsed.error.issues, given);
  return toConfig(parsed.data);
}

function badConfig(issues: readonly z.core.$ZodIssue[], env: NodeJS.ProcessEnv): Refusal {
  const wrong = issues
    .map(({ path, message }) => {
      const name = path.join('.');
      return env[name] === undefined ? `${name} is missing` : `${name} ${message}`;
    })
    .join('; ');
  return new Refusal('bad-config', {
    message: `the environment is not valid: ${wrong}. See .env.example`,
    expected: 'a valid environment, see .env.example',
    received: wrong,
  });
}

function toConfig(env: Environment): Config {
  return {
    mongo: {
      uri: env.MONGODB_URI,
      connectionsMax: env.BATON_MONGODB_CONNECTIONS_MAX,
      serverSelectionTimeoutMs: env.BATON_MONGODB_SELECTION_TIMEOUT_MS,
    },
    queue: { redisUrl: env.REDIS_URL, prefix: env.BATON_QUEUE_PREFIX },
    redis: { silenceMs: env.BATON_REDIS_SILENCE_MS, keepAliveMs: env.BATON_REDIS_KEEP_ALIVE_MS },
    log: { level: env.BATON_LOG_LEVEL },
    worker: {
      operationConcurrency: env.BATON_OPERATION_CONCURRENCY,
      previewConcurrency: env.BATON_PREVIEW_CONCURRENCY,
      claimConcurrency: env.BATON_CLAIM_CONCURRENCY,
      batchConversationsMax: env.BATON_BATCH_CONVERSATIONS_MAX,
      batchesInFlightMax: env.BATON_BATCHES_IN_FLIGHT_MAX,
      roundRepeatedForMs: env.BATON_ROUND_REPEATED_FOR_MS,
      sliceMs: env.BATON_SLICE_MS,
      lockMs: env.BATON_LOCK_MS,
      stalledCheckMs: env.BATON_STALLED_CHECK_MS,
      queuedMax: env.BATON_QUEUED_MAX,
      countsSharedForMs: env.BATON_COUNTS_SHARED_FOR_MS,
      reconcileEveryMs: env.BATON_RECONCILE_EVERY_MS,
      receiptsKeptDays: env.BATON_RECEIPTS_KEPT_DAYS,
      newerWaitMs: env.BATON_NEWER_WAIT_MS,
      closeTimeoutMs: env.BATON_CLOSE_TIMEOUT_MS,
    },
    http: toHttpConfig(env),
  };
}
