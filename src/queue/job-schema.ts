import { z } from 'zod';
import {
  CANCEL_JOB,
  CANCEL_JOB_OPTIONS,
  cancelJob,
  CONTROLS_QUEUE,
  DEFAULT_QUEUE_PREFIX,
  jobIdOf,
  OPERATION_JOB,
  OPERATION_JOB_OPTIONS,
  operationJob,
  OPERATIONS_QUEUE,
  PREVIEW_JOB,
  PREVIEW_JOB_OPTIONS,
  previewJob,
  PREVIEWS_QUEUE,
} from './contract.ts';

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
      cancel: {
        ...bodyOf(cancelJob),
        'x-baton': { ...addressOf(CONTROLS_QUEUE, CANCEL_JOB), options: CANCEL_JOB_OPTIONS },
      },
      preview: {
        ...bodyOf(previewJob),
        'x-baton': { ...addressOf(PREVIEWS_QUEUE, PREVIEW_JOB), options: PREVIEW_JOB_OPTIONS },
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
