import { z } from 'zod';
import { Refusal } from '../domain/errors.ts';
import { idText, jobIdText } from '../domain/safe-text.ts';

/** The braces keep all keys of a queue in one slot of a Redis Cluster. */
export const DEFAULT_QUEUE_PREFIX = '{baton}';
export const QUEUE_PREFIX = /^[A-Za-z0-9{}_-]{1,64}$/;
export const QUEUE_PREFIX_RULE = 'must be 1 to 64 letters, digits, braces, "_" or "-"';

export const JOB_VERSION = 1;

/** Requests carry ids and numbers only, so a larger job is a mistake or an attack. */
export const JOB_BYTES_MAX = 256 * 1024;
const STACK_TRACE_LINES_MAX = 3;
const LIMITS = { stackTraceLimit: STACK_TRACE_LINES_MAX, sizeLimit: JOB_BYTES_MAX } as const;

export const DAY_S = 24 * 60 * 60;
const SHORTLY = { age: 600, count: 1_000 } as const;

export const version = z.literal(JOB_VERSION);

/** The fields beside `request` in every job that creates an operation. */
export const envelope = {
  version,
  sendId: z
    .string()
    .min(1)
    .max(64)
    .describe('A new id for each call. The answer names the call that created the operation.'),
};

/** Options for jobs whose request may be sent again. MongoDB keeps the operation; Redis keeps the job for 14 days. */
export const RETAINED_FOR_RESENDING = { ...LIMITS, removeOnFail: { age: 14 * DAY_S, count: 20_000 } } as const;

/** Options for jobs that are never sent again with the same id: a caller without a result sends a new job. */
export const RETAINED_BRIEFLY = {
  ...LIMITS,
  backoff: { type: 'exponential', delay: 200, jitter: 0.5 },
  removeOnComplete: SHORTLY,
  removeOnFail: SHORTLY,
} as const;

/**
 * Returns the id of an operation's job. BullMQ stores a job next to keys of its own, such as "wait" and "events", and
 * refuses ids that are numbers. The prefix keeps every operation id away from both. BullMQ also refuses `:`, which the
 * encoding replaces.
 */
export function jobIdOf(operationId: string): string {
  return `op-${encodeURIComponent(operationId)}`;
}

/** Returns the operation ids that a job with this id can belong to: see {@link requireMatchingId}. */
export function operationIdsOf(jobId: string): readonly string[] {
  const encoded = /^op-(.+)$/s.exec(jobId)?.[1];
  if (encoded === undefined) return [jobId];
  try {
    return [decodeURIComponent(encoded), jobId];
  } catch {
    return [jobId];
  }
}

/** Returns the job, or throws a `bad-request` refusal if its id belongs to another operation. */
export function requireMatchingId<Job extends { request: { operationId: string } }>(jobId: string, job: Job): Job {
  const { operationId } = job.request;
  // Programs that do not use Baton's producer may have sent the job under the bare operation id.
  if (jobId === jobIdOf(operationId) || jobId === operationId) return job;
  throw new Refusal('bad-request', {
    message: `job ${jobIdText(jobId)} asks for operation ${idText(operationId)}; its id must be ${jobIdText(jobIdOf(operationId))}`,
    expected: jobIdText(jobIdOf(operationId)),
    received: jobIdText(jobId),
  });
}

const jobWithOperation = z.object({ request: z.object({ operationId: z.string() }) });

/** Returns the operation id in a job's data, or `undefined` when the data has none. */
export function operationIdOfJob(data: unknown): string | undefined {
  const parsed = jobWithOperation.safeParse(data);
  return parsed.success ? parsed.data.request.operationId : undefined;
}

/** Claims have a queue of their own, so that they never wait behind bulk operations. */
export const OPERATIONS_QUEUE = 'operations';
export const CLAIMS_QUEUE = 'claims';
export const PREVIEWS_QUEUE = 'previews';
/** Requests to cancel and opt-outs. Bulk operations can occupy every worker of their own queue, so these have another. */
export const CONTROLS_QUEUE = 'controls';
export const RECONCILE_QUEUE = 'reconcile';

export const QUEUE_NAMES = [OPERATIONS_QUEUE, CLAIMS_QUEUE, PREVIEWS_QUEUE, CONTROLS_QUEUE, RECONCILE_QUEUE] as const;
