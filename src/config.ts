import { z } from 'zod';
import { BATCHES_IN_FLIGHT_LIMIT } from './operations/index.ts';
import { Refusal } from './domain/errors.ts';

const DEFAULT_BATCH_CONVERSATIONS = 2_000;
const RECEIPTS_KEPT_DAYS_MAX = 36_500;
const ms = (whenUnset: number) => z.coerce.number().int().min(1).max(86_400_000).default(whenUnset);
const places = (whenUnset: number) => z.coerce.number().int().min(1).max(1_000).default(whenUnset);

/** Every variable that Baton reads. `.env.example` shows each; a test holds the two together. */
export const environment = z.object({
  MONGODB_URI: z
    .string()
    .regex(/^mongodb(\+srv)?:\/\//, 'expected mongodb://… or mongodb+srv://…')
    .describe('The database. Must be a replica set: batches are applied in transactions.'),
  REDIS_URL: z
    .string()
    .regex(/^rediss?:\/\/[^,]+(,rediss?:\/\/[^,]+)*$/, 'expected redis://… or rediss://…, several for a cluster')
    .describe(
      'The queue. Should keep an append-only file and evict nothing. Several, separated by commas: nodes of one cluster.',
    ),
  BATON_QUEUE_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9{}_-]{1,64}$/)
    .default('{baton}')
    .describe('Before every key in Redis. Braces keep the keys in one slot of a cluster.'),
  BATON_LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('How much is logged.'),
  BATON_OPERATION_CONCURRENCY: places(8).describe('Operations carried on at the same time by one worker process.'),
  BATON_PREVIEW_CONCURRENCY: places(2).describe('Previews answered at the same time by one worker process.'),
  BATON_CLAIM_CONCURRENCY: places(200).describe(
    'Claims served at the same time by one worker process: those of one campaign are served together.',
  ),
  BATON_BATCH_CONVERSATIONS_MAX: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(DEFAULT_BATCH_CONVERSATIONS)
    .describe('Conversations in one batch or one round of claims: what one transaction holds.'),
  BATON_BATCHES_IN_FLIGHT_MAX: z.coerce
    .number()
    .int()
    .min(1)
    .max(BATCHES_IN_FLIGHT_LIMIT)
    .default(2)
    .describe('Batches of one operation applied at the same time.'),
  BATON_SLICE_MS: ms(2_000).describe('How long an operation goes on before others have their turn, in milliseconds.'),
  BATON_LOCK_MS: ms(8_000).describe(
    'How long a job may go without a sign of life before another worker takes it over, in milliseconds.',
  ),
  BATON_STALLED_CHECK_MS: ms(3_000).describe(
    'How often a worker looks for jobs whose worker has died, in milliseconds.',
  ),
  BATON_RECONCILE_EVERY_MS: ms(30_000).describe(
    'How often the reconcile looks for what the queue has lost and for what is old, in milliseconds.',
  ),
  BATON_RECEIPTS_KEPT_DAYS: z.coerce
    .number()
    .int()
    .min(0)
    .max(RECEIPTS_KEPT_DAYS_MAX)
    .default(90)
    .describe('How long what has ended is kept with its receipt and its id is remembered, in days. 0: for ever.'),
  BATON_CLOSE_TIMEOUT_MS: ms(15_000).describe('How long a worker that was told to stop may take, in milliseconds.'),
  BATON_MONGODB_CONNECTIONS_MAX: places(50).describe('Connections to the database, per process.'),
  BATON_MONGODB_SELECTION_TIMEOUT_MS: ms(5_000).describe(
    'How long a command waits for a database to talk to, in milliseconds.',
  ),
});

type Environment = z.output<typeof environment>;

/** What a process runs with: checked, nested by who needs it. Tests pass a literal. */
export interface Config {
  readonly mongo: { readonly uri: string; readonly connectionsMax: number; readonly serverSelectionTimeoutMs: number };
  readonly queue: { readonly redisUrl: string; readonly prefix: string };
  readonly log: { readonly level: Environment['BATON_LOG_LEVEL'] };
  readonly worker: WorkerConfig;
}

export interface WorkerConfig {
  readonly operationConcurrency: number;
  readonly previewConcurrency: number;
  readonly claimConcurrency: number;
  readonly batchConversationsMax: number;
  readonly batchesInFlightMax: number;
  readonly sliceMs: number;
  readonly lockMs: number;
  readonly stalledCheckMs: number;
  readonly reconcileEveryMs: number;
  readonly receiptsKeptDays: number;
  readonly closeTimeoutMs: number;
}

/** Reads and checks an environment. Throws a `bad-config` refusal that names every variable at fault, never a value. */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const parsed = environment.safeParse(withoutEmpty(env));
  if (!parsed.success) {
    const wrong = parsed.error.issues.map((issue) => `${issue.path.join('.')} (${issue.message})`);
    throw new Refusal('bad-config', { expected: 'a valid environment, see .env.example', received: wrong.join('; ') });
  }
  return toConfig(parsed.data);
}

function toConfig(env: Environment): Config {
  return {
    mongo: {
      uri: env.MONGODB_URI,
      connectionsMax: env.BATON_MONGODB_CONNECTIONS_MAX,
      serverSelectionTimeoutMs: env.BATON_MONGODB_SELECTION_TIMEOUT_MS,
    },
    queue: { redisUrl: env.REDIS_URL, prefix: env.BATON_QUEUE_PREFIX },
    log: { level: env.BATON_LOG_LEVEL },
    worker: {
      operationConcurrency: env.BATON_OPERATION_CONCURRENCY,
      previewConcurrency: env.BATON_PREVIEW_CONCURRENCY,
      claimConcurrency: env.BATON_CLAIM_CONCURRENCY,
      batchConversationsMax: env.BATON_BATCH_CONVERSATIONS_MAX,
      batchesInFlightMax: env.BATON_BATCHES_IN_FLIGHT_MAX,
      sliceMs: env.BATON_SLICE_MS,
      lockMs: env.BATON_LOCK_MS,
      stalledCheckMs: env.BATON_STALLED_CHECK_MS,
      reconcileEveryMs: env.BATON_RECONCILE_EVERY_MS,
      receiptsKeptDays: env.BATON_RECEIPTS_KEPT_DAYS,
      closeTimeoutMs: env.BATON_CLOSE_TIMEOUT_MS,
    },
  };
}

/** An empty variable is how compose files and shells say "not set". */
function withoutEmpty(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
}
