import type { JobsOptions } from 'bullmq';
import { z } from 'zod';
import { operationId } from '../domain/ids.ts';
import { parseWith } from '../domain/requests.ts';
import { JOB_VERSION, RETAINED_BRIEFLY, version } from '../queue/job.ts';
import { previewRequest } from './contract.ts';

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
