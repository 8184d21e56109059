import type { Job, JobsOptions } from 'bullmq';
import { z } from 'zod';
import { CLAIM_JOB, CLAIM_JOB_OPTIONS, POOL_REFILLED_JOB, poolRefilledJobOptions } from '../src/claims/index.ts';
import { ERASE_JOB, LIFT_OPT_OUT_JOB, OPT_OUT_JOB, PERSON_JOB_OPTIONS } from '../src/contacts/index.ts';
import {
  CANCEL_JOB,
  CANCEL_JOB_OPTIONS,
  CANCEL_QUEUED_JOB,
  FIND_JOB,
  FIND_JOB_OPTIONS,
  MOVES_JOB,
  OPERATION_JOB,
  OPERATION_JOB_OPTIONS,
  PREVIEW_JOB,
  PREVIEW_JOB_OPTIONS,
} from '../src/operations/index.ts';

const { deduplication: _, ...POOL_REFILLED_OPTIONS } = poolRefilledJobOptions('');

/** The options that Baton's producer gives to a job with this name. */
const OPTIONS: Readonly<Record<string, JobsOptions>> = {
  [OPERATION_JOB]: OPERATION_JOB_OPTIONS,
  [CLAIM_JOB]: CLAIM_JOB_OPTIONS,
  [POOL_REFILLED_JOB]: POOL_REFILLED_OPTIONS,
  [CANCEL_JOB]: CANCEL_JOB_OPTIONS,
  [CANCEL_QUEUED_JOB]: CANCEL_JOB_OPTIONS,
  [FIND_JOB]: FIND_JOB_OPTIONS,
  [OPT_OUT_JOB]: PERSON_JOB_OPTIONS,
  [LIFT_OPT_OUT_JOB]: PERSON_JOB_OPTIONS,
  [ERASE_JOB]: PERSON_JOB_OPTIONS,
  [MOVES_JOB]: PREVIEW_JOB_OPTIONS,
  [PREVIEW_JOB]: PREVIEW_JOB_OPTIONS,
};

const number = z.number().nonnegative();
const kept = z.union([
  z.boolean(),
  z.int(),
  z.object({ age: number, count: number.optional(), limit: number.optional() }),
  z.object({ count: number }),
]);

/** The options that BullMQ reads when a run ends. With other values its scripts fail, and the job would never end. */
const READ_AT_END = {
  attempts: z.int().positive(),
  backoff: z.union([
    number,
    z.object({ type: z.enum(['fixed', 'exponential']), delay: number.optional(), jitter: number.max(1).optional() }),
  ]),
  removeOnComplete: kept,
  removeOnFail: kept,
  stackTraceLimit: z.int().nonnegative(),
} as const;

/**
 * Returns the options of a job, with those that its sender has left out. A producer in another language may set none: the
 * first lost connection would end its operation, and its jobs would stay in Redis for ever. BullMQ writes 0 for attempts that
 * were left out, and other programs write null. Options of another form count as left out.
 */
export function completeOptions({ name, opts }: Pick<Job, 'name' | 'opts'>): JobsOptions {
  const sent = Object.entries<unknown>({ ...opts }).filter(([option, value]) => isUsable(option, value));
  return { ...(Object.hasOwn(OPTIONS, name) && OPTIONS[name]), ...Object.fromEntries(sent) };
}

function isUsable(option: string, value: unknown): boolean {
  if (!Object.hasOwn(READ_AT_END, option)) return value !== undefined && value !== null;
  return READ_AT_END[option as keyof typeof READ_AT_END].safeParse(value).success;
}
