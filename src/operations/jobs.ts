import type { JobsOptions } from 'bullmq';
import { z } from 'zod';
import { operationId } from '../domain/ids.ts';
import { parseWith } from '../domain/requests.ts';
import {
  DAY_S,
  envelope,
  JOB_VERSION,
  jobIdOf,
  RETAINED_FOR_RESENDING,
  RETAINED_BRIEFLY,
  version,
  requireMatchingId,
} from '../queue/job.ts';
import {
  cancelQueuedRequest,
  cancelRequest,
  operationRequest,
  previewRequest,
  type OperationRequest,
} from './contract.ts';

// ---- operation: runs an operation slice by slice until it has ended ----

export const OPERATION_JOB = 'operation';

export const operationJob = z.strictObject({ ...envelope, request: operationRequest });
export type OperationJob = z.output<typeof operationJob>;

export const OPERATION_JOB_OPTIONS = {
  attempts: 10,
  backoff: { type: 'exponential', delay: 500, jitter: 0.5 },
  removeOnComplete: { age: DAY_S, count: 5_000 },
  ...RETAINED_FOR_RESENDING,
} as const satisfies JobsOptions;

export type { OperationAnswer } from '../domain/answers.ts';

/** Returns the options of an operation's job. The job id comes from the operation id, so the queue keeps one job. */
export function operationJobOptions(id: string): JobsOptions {
  return { ...OPERATION_JOB_OPTIONS, jobId: jobIdOf(id) };
}

export function newOperationJob(request: OperationRequest, sendId: string): OperationJob {
  return { version: JOB_VERSION, sendId, request: request as OperationJob['request'] };
}

/** Parses the data of a job from any producer. Throws a `bad-request` refusal. */
export function parseOperationJob(jobId: string, data: unknown): OperationJob {
  return requireMatchingId(jobId, parseWith(operationJob, data));
}

/** The fields of a job's data that decide after which other jobs it is accepted. */
export const orderedJob = z.object({
  version: z.number().optional(),
  request: z.looseObject({ operationId: z.string(), campaignId: z.string(), conversationId: z.string().optional() }),
});

type OrderedRequest = Pick<OperationRequest, 'operationId' | 'campaignId'> & {
  readonly conversationId?: string | undefined;
};

/** Jobs with the same subject have to be accepted in the order in which they were sent. */
export function contentOf(request: OperationRequest | OrderedRequest): {
  readonly operationId: string;
  readonly subject: string;
} {
  return { operationId: request.operationId, subject: subjectOf(request) };
}

/** Operations on several conversations of a campaign have one order, and so have the single moves of a conversation. */
export function subjectOf(request: OperationRequest | OrderedRequest): string {
  const one = 'conversationId' in request ? request.conversationId : undefined;
  return [request.campaignId, ...(one === undefined ? [] : [one])].map(encodeURIComponent).join(':');
}

// ---- cancel: stops an operation, or a waiting claim ----

/** Has a queue of its own: running operations may occupy every worker slot of theirs. */
export const CANCEL_JOB = 'cancel';

/** The job has a random id: cancelling twice does no harm. */
export const cancelJob = z.strictObject({ version, request: cancelRequest });
type CancelJob = z.output<typeof cancelJob>;

export const CANCEL_JOB_OPTIONS = { attempts: 8, ...RETAINED_BRIEFLY } as const satisfies JobsOptions;

export type { CancelAnswer } from '../domain/answers.ts';

/** Parses the request and makes the job. Throws a `bad-request` refusal. */
export function newCancelJob(request: unknown): CancelJob {
  return parseCancelJob({ version: JOB_VERSION, request });
}

export function parseCancelJob(data: unknown): CancelJob {
  return parseWith(cancelJob, data);
}

// ---- cancel-queued: cancels the operations of a campaign that wait ----

export const CANCEL_QUEUED_JOB = 'cancel-queued';

/** The job has a random id: cancelling twice does no harm. */
export const cancelQueuedJob = z.strictObject({ version, request: cancelQueuedRequest });
type CancelQueuedJob = z.output<typeof cancelQueuedJob>;

export type { CancelQueuedAnswer } from '../domain/answers.ts';

/** Parses the request and makes the job. Throws a `bad-request` refusal. */
export function newCancelQueuedJob(request: unknown): CancelQueuedJob {
  return parseCancelQueuedJob({ version: JOB_VERSION, request });
}

export function parseCancelQueuedJob(data: unknown): CancelQueuedJob {
  return parseWith(cancelQueuedJob, data);
}

// ---- preview: answers what an operation would do now ----

export const PREVIEW_JOB = 'preview';

/** The job has a random id. Nothing is stored under the operation id of the request. */
export const previewJob = z.strictObject({ version, request: previewRequest });
type PreviewJob = z.output<typeof previewJob>;

export const PREVIEW_JOB_OPTIONS = { attempts: 3, ...RETAINED_BRIEFLY } as const satisfies JobsOptions;

export type { Preview } from '../domain/answers.ts';

/** Parses the request and makes the job. Throws a `bad-request` refusal. */
export function newPreviewJob(request: unknown): PreviewJob {
  return parsePreviewJob({ version: JOB_VERSION, request });
}

export function parsePreviewJob(data: unknown): PreviewJob {
  return parseWith(previewJob, data);
}

// ---- find: answers what the database has of an operation or claim ----

export const FIND_JOB = 'find';

/** The job has a random id. */
export const findJob = z.strictObject({ version, operationId });
type FindJob = z.output<typeof findJob>;

export const FIND_JOB_OPTIONS = { attempts: 3, ...RETAINED_BRIEFLY } as const satisfies JobsOptions;

export type { FoundOperation } from '../domain/answers.ts';

/** Checks the id and makes the job. Throws a `bad-request` refusal. */
export function newFindJob(id: unknown): FindJob {
  return parseFindJob({ version: JOB_VERSION, operationId: id });
}

export function parseFindJob(data: unknown): FindJob {
  return parseWith(findJob, data);
}
