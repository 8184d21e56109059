import { z } from 'zod';
import {
  CLAIM_JOB,
  CLAIM_JOB_OPTIONS,
  claimJob,
  POOL_REFILLED_JOB,
  poolRefilledJob,
  poolRefilledJobOptions,
} from '../claims/index.ts';
import { PREVIEW_JOB, PREVIEW_JOB_OPTIONS, previewJob } from '../operations/index.ts';
import { OPERATION_JOB, OPERATION_JOB_OPTIONS, operationJob } from '../operations/index.ts';
import { CANCEL_JOB, CANCEL_JOB_OPTIONS, cancelJob } from '../operations/index.ts';
import { DEFAULT_QUEUE_PREFIX } from '../queue/job.ts';
import { jobIdOf } from '../queue/job-id.ts';
import { CLAIMS_QUEUE, CONTROLS_QUEUE, OPERATIONS_QUEUE, PREVIEWS_QUEUE } from '../queue/names.ts';

/** Whoever waits for an answer by a number of the queue's own may be told another's, once Redis has lost any. */
const NEW_JOB_ID = '{a new UUID}';

/**
 * The jobs' contract as JSON Schema, for producers in other languages. `x-baton` says where a job goes: queue, job name
 * and options, in BullMQ's terms. Published as `job.schema.json`.
 */
export function jobSchemas(): object {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: "Baton's jobs",
    $defs: {
      operation: {
        ...bodyOf(operationJob),
        'x-baton': {
          ...addressOf(OPERATIONS_QUEUE, OPERATION_JOB),
          jobId: jobIdOf('{request.operationId}'),
          options: OPERATION_JOB_OPTIONS,
        },
      },
      claim: {
        ...bodyOf(claimJob),
        'x-baton': {
          ...addressOf(CLAIMS_QUEUE, CLAIM_JOB),
          jobId: jobIdOf('{request.operationId}'),
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
      cancel: {
        ...bodyOf(cancelJob),
        'x-baton': { ...addressOf(CONTROLS_QUEUE, CANCEL_JOB), jobId: NEW_JOB_ID, options: CANCEL_JOB_OPTIONS },
      },
      preview: {
        ...bodyOf(previewJob),
        'x-baton': { ...addressOf(PREVIEWS_QUEUE, PREVIEW_JOB), jobId: NEW_JOB_ID, options: PREVIEW_JOB_OPTIONS },
      },
    },
  };
}

function addressOf(queue: string, job: string): object {
  return { prefix: DEFAULT_QUEUE_PREFIX, queue, job };
}

function bodyOf(job: z.ZodType): object {
  const schema = z.toJSONSchema(job, { io: 'input' });
  delete schema.$schema;
  return schema;
}
