import type { JobsOptions } from 'bullmq';
import { z } from 'zod';
import { reassignRequest, unassignRequest, undoRequest } from './contract.ts';
import { parseWith, type Unchanged } from '../domain/parse.ts';
import { JOB_VERSION, KEPT_SHORTLY, version } from '../queue/job.ts';

/** A preview: what an operation would do now. */
export const PREVIEW_JOB = 'preview';

/** Its operation's id is checked as the operation's would be. Nothing is kept under it. */
export const previewJob = z.strictObject({
  version,
  request: z.discriminatedUnion('kind', [reassignRequest, unassignRequest, undoRequest]),
});

export type PreviewJob = z.output<typeof previewJob>;

/** The same request that the operation would be sent with. */
export type PreviewRequest = Unchanged<z.input<typeof previewJob>['request']>;

export const PREVIEW_JOB_OPTIONS = { attempts: 3, ...KEPT_SHORTLY } as const satisfies JobsOptions;

/** Checks the request and makes the job. Throws a `bad-request` refusal. */
export function newPreviewJob(request: unknown): PreviewJob {
  return parsePreviewJob({ version: JOB_VERSION, request });
}

export function parsePreviewJob(data: unknown): PreviewJob {
  return parseWith(previewJob, data);
}
