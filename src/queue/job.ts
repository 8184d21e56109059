import { z } from 'zod';

/** Braces keep all of a queue's keys in one slot of a Redis Cluster. */
export const DEFAULT_QUEUE_PREFIX = '{baton}';

export const JOB_VERSION = 1;

/** A job larger than this is a mistake or an attack: requests carry ids and numbers only. */
const JOB_BYTES_MAX = 256 * 1024;
const STACK_TRACE_LINES_MAX = 3;

export const version = z.literal(JOB_VERSION);

/** What goes before a request whose sender is told whether this sending made what it asks for. */
export const envelope = {
  version,
  sendId: z
    .string()
    .min(1)
    .max(64)
    .describe('New for each sending: tells the one that made the operation from those that met it.'),
};

const LIMITS = { stackTraceLimit: STACK_TRACE_LINES_MAX, sizeLimit: JOB_BYTES_MAX } as const;

export const DAY_S = 24 * 60 * 60;
const SHORTLY = { age: 600, count: 1_000 } as const;

/** Redis keeps a job only as long as somebody may come back for its answer: what counts is kept in MongoDB. */
export const KEPT_FOR_ITS_ASKER = { ...LIMITS, removeOnFail: { age: 14 * DAY_S, count: 20_000 } } as const;

/** Nobody comes back for the answer: its asker waits for it, or asks again. */
export const KEPT_SHORTLY = {
  ...LIMITS,
  backoff: { type: 'exponential', delay: 200, jitter: 0.5 },
  removeOnComplete: SHORTLY,
  removeOnFail: SHORTLY,
} as const;

const jobWithOperation = z.object({ request: z.object({ operationId: z.string() }) });

/** Returns the operation id in a job's data, or `undefined` when the data has none. */
export function operationIdOfJob(data: unknown): string | undefined {
  const parsed = jobWithOperation.safeParse(data);
  return parsed.success ? parsed.data.request.operationId : undefined;
}
