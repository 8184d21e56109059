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
  FIND_JOB,
  FIND_JOB_OPTIONS,
  findJob,
  PREVIEW_JOB,
  PREVIEW_JOB_OPTIONS,
  previewJob,
} from '../operations/jobs.ts';
import { MOVES_JOB, movesJob } from '../operations/moves-job.ts';
import {
  CLAIMS_QUEUE,
  CONTROLS_QUEUE,
  DEFAULT_QUEUE_PREFIX,
  jobIdOf,
  OPERATIONS_QUEUE,
  PREVIEWS_QUEUE,
} from '../queue/job.ts';
import * as answers from './answer-schemas.ts';

/** The id of the job of an operation or claim. Ids that consist of letters, digits, `-`, `_` and `.` stay as they are. */
const JOB_ID = jobIdOf('x').replace('x', '{request.operationId, percent-encoded as a part of a URL}');

const DESCRIPTION =
  'A definition with x-baton is the data of a job. x-baton names its queue, its name, the options to set, and the definitions of ' +
  'its return value and progress. Only jobId is required: workers use the other options for a job without them. The ' +
  'failedReason of a job that was refused is "permanent " and then JSON as in refusal; with any other failedReason, all ' +
  'attempts were used. Send a higher version only if all its fields are in this file: a worker leaves it to newer workers ' +
  'for an hour. Answers of newer workers can have further fields.';

/** Without an id of its own, a job gets a number that BullMQ gives to another job after Redis has lost its data. */
const NEW_JOB_ID = '{a new UUID}';

/** The definitions of what workers answer, by name. */
const ANSWERS = {
  receipt: answers.receipt,
  refusal: answers.refusal,
  progress: answers.progress,
  operationAnswer: answers.operationAnswer,
  claimAnswer: answers.claimAnswer,
  cancelAnswer: answers.cancelAnswer,
  cancelQueuedAnswer: answers.cancelQueuedAnswer,
  foundOperation: answers.foundOperation,
  optOutAnswer: answers.optOutAnswer,
  eraseAnswer: answers.eraseAnswer,
  movesAnswer: answers.movesAnswer,
  previewAnswer: answers.previewAnswer,
};

/**
 * Returns the jobs and their answers as JSON Schema, for producers in other languages. `x-baton` names the queue, the job's
 * name and the job's options in BullMQ's terms. Published as `job.schema.json`.
 */
export function jobSchemas(): object {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: "Baton's jobs",
    description: DESCRIPTION,
    $defs: {
      operation: jobOf(operationJob, OPERATIONS_QUEUE, OPERATION_JOB, {
        ...{ jobId: JOB_ID, options: OPERATION_JOB_OPTIONS },
        ...{ returnValue: refTo('operationAnswer'), progress: refTo('progress') },
      }),
      claim: jobOf(claimJob, CLAIMS_QUEUE, CLAIM_JOB, {
        ...{ jobId: JOB_ID, options: CLAIM_JOB_OPTIONS, returnValue: refTo('claimAnswer') },
      }),
      poolRefilled: jobOf(poolRefilledJob, CLAIMS_QUEUE, POOL_REFILLED_JOB, {
        ...{ options: poolRefilledJobOptions('{campaignId}'), returnValue: { type: 'null' } },
      }),
      cancel: jobOf(cancelJob, CONTROLS_QUEUE, CANCEL_JOB, withNewId(CANCEL_JOB_OPTIONS, 'cancelAnswer')),
      cancelQueued: jobOf(
        cancelQueuedJob,
        CONTROLS_QUEUE,
        CANCEL_QUEUED_JOB,
        withNewId(CANCEL_JOB_OPTIONS, 'cancelQueuedAnswer'),
      ),
      find: jobOf(findJob, CONTROLS_QUEUE, FIND_JOB, withNewId(FIND_JOB_OPTIONS, 'foundOperation')),
      optOut: jobOf(personJob, CONTROLS_QUEUE, OPT_OUT_JOB, withNewId(PERSON_JOB_OPTIONS, 'optOutAnswer')),
      erase: jobOf(personJob, CONTROLS_QUEUE, ERASE_JOB, withNewId(PERSON_JOB_OPTIONS, 'eraseAnswer')),
      liftOptOut: jobOf(personJob, CONTROLS_QUEUE, LIFT_OPT_OUT_JOB, withNewId(PERSON_JOB_OPTIONS, 'optOutAnswer')),
      moves: jobOf(movesJob, PREVIEWS_QUEUE, MOVES_JOB, withNewId(PREVIEW_JOB_OPTIONS, 'movesAnswer')),
      preview: jobOf(previewJob, PREVIEWS_QUEUE, PREVIEW_JOB, withNewId(PREVIEW_JOB_OPTIONS, 'previewAnswer')),
      ...answerSchemas(),
    },
  };
}

interface JobFacts {
  readonly jobId?: string;
  readonly options: JobsOptions;
  /** The schemas of what a worker stores in the job. */
  readonly returnValue: object;
  readonly progress?: object;
}

function jobOf(body: z.ZodType, queue: string, job: string, facts: JobFacts): object {
  const schema = z.toJSONSchema(body, { io: 'input' });
  delete schema.$schema;
  return { ...schema, 'x-baton': { prefix: DEFAULT_QUEUE_PREFIX, queue, job, ...facts } };
}

function withNewId(options: JobsOptions, answer: keyof typeof ANSWERS): JobFacts {
  return { jobId: NEW_JOB_ID, options, returnValue: refTo(answer) };
}

function refTo(answer: string): { readonly $ref: string } {
  return { $ref: `#/$defs/${answer}` };
}

/** Answers refer to each other instead of repeating, for example, the receipt. */
function answerSchemas(): Readonly<Record<string, object>> {
  const registry = z.registry<{ readonly id: string }>();
  for (const [id, schema] of Object.entries(ANSWERS)) registry.add(schema, { id });
  // Schemas for input allow further fields.
  const { schemas } = z.toJSONSchema(registry, { io: 'input', uri: (id) => refTo(id).$ref });
  for (const schema of Object.values(schemas)) {
    delete schema.$schema;
    delete schema.$id;
  }
  return schemas;
}
