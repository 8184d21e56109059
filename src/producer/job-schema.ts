import type { JobsOptions } from 'bullmq';
import { z } from 'zod';
import {
  CLAIM_JOB,
  CLAIM_JOB_OPTIONS,
  claimJob,
  POOL_REFILLED_JOB,
  poolRefilledJob,
  poolRefilledJobOptions,
} from '../claims/contract.ts';
import { ERASE_JOB, LIFT_OPT_OUT_JOB, OPT_OUT_JOB, PERSON_JOB_OPTIONS, personJob } from '../contacts/contract.ts';
import {
  CANCEL_JOB,
  CANCEL_JOB_OPTIONS,
  CANCEL_QUEUED_JOB,
  cancelJob,
  cancelQueuedJob,
  OPERATION_JOB,
  OPERATION_JOB_OPTIONS,
  operationJob,
} from '../operations/jobs.ts';
import { MOVES_JOB, movesJob } from '../operations/moves-job.ts';
import {
  FIND_JOB,
  FIND_JOB_OPTIONS,
  findJob,
  PREVIEW_JOB,
  PREVIEW_JOB_OPTIONS,
  previewJob,
} from '../operations/read-jobs.ts';
import {
  CLAIMS_QUEUE,
  CONTROLS_QUEUE,
  DEFAULT_QUEUE_PREFIX,
  jobIdOf,
  OPERATIONS_QUEUE,
  PREVIEWS_QUEUE,
} from '../queue/job.ts';

/** The id of the job of an operation or claim. Ids that consist of letters, digits, `-`, `_` and `.` stay as they are. */
const JOB_ID = jobIdOf('x').replace('x', '{request.operationId, percent-encoded as a part of a URL}');

const DESCRIPTION =
  'Each definition is the data of a job. x-baton names its queue, its name, and the options to set. Only jobId is required: ' +
  'workers use the other options for a job without them. A completed job has the return value that x-baton names. A job that ' +
  'was refused has a failedReason as in refusal; with any other failedReason, all attempts were used. Send a higher version ' +
  'only if all its fields are in this file: a worker leaves it to newer workers for an hour.';

/** Without an id of its own, a job gets a number that BullMQ gives to another job after Redis has lost its data. */
const NEW_JOB_ID = '{a new UUID}';

/**
 * Returns the jobs as JSON Schema, for producers in other languages. `x-baton` names the queue, the job's name and the
 * job's options in BullMQ's terms. Published as `job.schema.json`.
 */
export function jobSchemas(): object {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: "Baton's jobs",
    description: DESCRIPTION,
    $defs: {
      operation: {
        ...bodyOf(operationJob),
        'x-baton': {
          ...addressOf(OPERATIONS_QUEUE, OPERATION_JOB),
          jobId: JOB_ID,
          options: OPERATION_JOB_OPTIONS,
        },
      },
      claim: {
        ...bodyOf(claimJob),
        'x-baton': {
          ...addressOf(CLAIMS_QUEUE, CLAIM_JOB),
          jobId: JOB_ID,
          options: CLAIM_JOB_OPTIONS,
        },
      },
      poolRefilled: {
        ...bodyOf(poolRefilledJob),
        'x-baton': {
          ...addressOf(CLAIMS_QUEUE, POOL_REFILLED_JOB),
          options: poolRefilledJobOptions('{campaignId}'),
        },
      },
      cancel: withNewId(cancelJob, CONTROLS_QUEUE, CANCEL_JOB, CANCEL_JOB_OPTIONS),
      cancelQueued: withNewId(cancelQueuedJob, CONTROLS_QUEUE, CANCEL_QUEUED_JOB, CANCEL_JOB_OPTIONS),
      find: withNewId(findJob, CONTROLS_QUEUE, FIND_JOB, FIND_JOB_OPTIONS),
      optOut: withNewId(personJob, CONTROLS_QUEUE, OPT_OUT_JOB, PERSON_JOB_OPTIONS),
      erase: withNewId(personJob, CONTROLS_QUEUE, ERASE_JOB, PERSON_JOB_OPTIONS),
      liftOptOut: withNewId(personJob, CONTROLS_QUEUE, LIFT_OPT_OUT_JOB, PERSON_JOB_OPTIONS),
      moves: withNewId(movesJob, PREVIEWS_QUEUE, MOVES_JOB, PREVIEW_JOB_OPTIONS),
      preview: withNewId(previewJob, PREVIEWS_QUEUE, PREVIEW_JOB, PREVIEW_JOB_OPTIONS),
    },
  };
}

function withNewId(body: z.ZodType, queue: string, job: string, options: JobsOptions): object {
  return { ...bodyOf(body), 'x-baton': { ...addressOf(queue, job), jobId: NEW_JOB_ID, options } };
}

function addressOf(queue: string, job: string): object {
  return { prefix: DEFAULT_QUEUE_PREFIX, queue, job };
}

function bodyOf(job: z.ZodType): object {
  const schema = z.toJSONSchema(job, { io: 'input' });
  delete schema.$schema;
  return schema;
}
