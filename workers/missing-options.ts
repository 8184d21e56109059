import type { Job, JobsOptions } from 'bullmq';
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

/**
 * Returns the options of a job, with those that its sender has left out. A producer in another language may set none: the
 * first lost connection would end its operation, and its jobs would stay in Redis for ever. BullMQ writes 0 for attempts that
 * were left out.
 */
export function completeOptions({ name, opts }: Pick<Job, 'name' | 'opts'>): JobsOptions {
  const { attempts = 0, ...others } = opts;
  const sent = Object.entries<unknown>(others).filter(([, value]) => value !== undefined);
  return {
    ...(Object.hasOwn(OPTIONS, name) && OPTIONS[name]),
    ...Object.fromEntries(sent),
    ...(attempts > 0 && { attempts }),
  };
}
