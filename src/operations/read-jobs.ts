import type { JobsOptions } from 'bullmq';
import { z } from 'zod';
import type { Assignee } from '../domain/conversation.ts';
import { operationId } from '../domain/ids.ts';
import type { OperationKind, OperationState } from '../domain/operation.ts';
import { parseWith } from '../domain/requests.ts';
import type { StoredError } from '../domain/stored-error.ts';
import type { MoveCount, OverLimit, Receipt, SkipCount } from '../domain/receipt.ts';
import { JOB_VERSION, RETAINED_BRIEFLY, version } from '../queue/job.ts';
import { previewRequest } from './contract.ts';

// ---- preview: answers what an operation would do now ----

export const PREVIEW_JOB = 'preview';

/** The job has a random id. Nothing is stored under the operation id of the request. */
export const previewJob = z.strictObject({ version, request: previewRequest });
type PreviewJob = z.output<typeof previewJob>;

export const PREVIEW_JOB_OPTIONS = { attempts: 3, ...RETAINED_BRIEFLY } as const satisfies JobsOptions;

/** The return value of the job: what the operation would do now. Assignees are texter ids, `null` is the pool. */
export interface Preview {
  /** The moment for which all numbers hold, in ISO 8601. Previews of a campaign within the same second can share one. */
  readonly countedAt: string;
  readonly selected: number;
  /** How many conversations would move: the number to confirm when unassigning all. */
  readonly moved: number;
  /** By source, target and status. */
  readonly moves: readonly MoveCount[];
  readonly skipped: readonly SkipCount[];
  /** The texters whom the operation would take past a limit of the campaign; absent when there are none. */
  readonly overLimit?: readonly OverLimit[];
  /** How many conversations, in any status, each source and target has before and after the operation. */
  readonly assignees: readonly { readonly assigneeId: Assignee; readonly before: number; readonly after: number }[];
}

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

/** The return value of the job. Times are in ISO 8601. */
export interface FoundOperation {
  readonly operationId: string;
  readonly campaignId: string;
  readonly kind: OperationKind;
  /** The `sendId` of the job that created the operation. */
  readonly createdBySendId: string;
  readonly state: OperationState;
  readonly receipt: Receipt | null;
  /** Why the operation failed, or is to fail. */
  readonly error: StoredError | null;
  /** Only for a claim: the conversations that the texter has received. */
  readonly conversationIds?: readonly string[];
  readonly acceptedAt: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
}

/** Checks the id and makes the job. Throws a `bad-request` refusal. */
export function newFindJob(id: unknown): FindJob {
  return parseFindJob({ version: JOB_VERSION, operationId: id });
}

export function parseFindJob(data: unknown): FindJob {
  return parseWith(findJob, data);
}
