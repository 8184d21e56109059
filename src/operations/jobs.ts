import type { JobsOptions } from 'bullmq';
import { z } from 'zod';
import type { Assignee, Status } from '../domain/conversation.ts';
import { operationId } from '../domain/ids.ts';
import type { OperationKind, OperationState } from '../domain/operation.ts';
import { parseWith } from '../domain/requests.ts';
import type { StoredError } from '../domain/stored-error.ts';
import type { MoveCount, OverLimit, Receipt, SkipCount, SkipReason } from '../domain/receipt.ts';
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
import type { Skip } from './batch.ts';
import type { Move } from './moves.ts';
import { cancelRequest, movesRequest, operationRequest, previewRequest, type OperationRequest } from './contract.ts';

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

/** The return value of the job. */
export interface OperationAnswer {
  readonly operationId: string;
  readonly state: 'done' | 'cancelled';
  /** The `sendId` of the job that created the operation. */
  readonly createdBySendId: string;
  readonly receipt: Receipt;
}

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

// ---- cancel: stops an operation, or a waiting claim ----

/** Has a queue of its own: running operations may occupy every worker slot of theirs. */
export const CANCEL_JOB = 'cancel';

/** The job has a random id: cancelling twice does no harm. */
export const cancelJob = z.strictObject({ version, request: cancelRequest });
type CancelJob = z.output<typeof cancelJob>;

export const CANCEL_JOB_OPTIONS = { attempts: 8, ...RETAINED_BRIEFLY } as const satisfies JobsOptions;

/** The return value of the job. */
export interface CancelAnswer {
  readonly operationId: string;
  readonly state: 'cancelled';
  readonly receipt: Receipt;
}

/** Parses the request and makes the job. Throws a `bad-request` refusal. */
export function newCancelJob(request: unknown): CancelJob {
  return parseCancelJob({ version: JOB_VERSION, request });
}

export function parseCancelJob(data: unknown): CancelJob {
  return parseWith(cancelJob, data);
}

// ---- preview: answers what an operation would do now ----

export const PREVIEW_JOB = 'preview';

/** The job has a random id. Nothing is stored under the operation id of the request. */
export const previewJob = z.strictObject({ version, request: previewRequest });
type PreviewJob = z.output<typeof previewJob>;

export const PREVIEW_JOB_OPTIONS = { attempts: 3, ...RETAINED_BRIEFLY } as const satisfies JobsOptions;

/** The return value of the job: what the operation would do now. Assignees are texter ids, `null` is the pool. */
export interface Preview {
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

// ---- moves: answers what an operation has done, conversation by conversation ----

/** In the queue of previews. */
export const MOVES_JOB = 'moves';

/** The job has a random id. It changes nothing. */
export const movesJob = z.strictObject({ version, request: movesRequest });
type MovesJob = z.output<typeof movesJob>;

/** The return value of the job. Conversations with the same move share one entry, because Redis keeps the answer. */
export interface MovesAnswer {
  readonly operationId: string;
  readonly campaignId: string;
  readonly state: OperationState;
  /** `at`: when the batch or claim was completed, as an ISO date; `null` while a claim waits for more. */
  readonly moves: readonly (Move & { readonly at: string | null })[];
  readonly skips: readonly Skip[];
  /** The cursor of the next page; `null` after the last page of an operation that has ended. */
  readonly next: string | null;
}

/** Parses the request and makes the job. Throws a `bad-request` refusal. */
export function newMovesJob(request: unknown): MovesJob {
  return parseMovesJob({ version: JOB_VERSION, request });
}

export function parseMovesJob(data: unknown): MovesJob {
  return parseWith(movesJob, data);
}

/** One conversation of an operation. Assignees are texter ids, `null` is the pool. */
export type ConversationResult =
  | {
      readonly conversationId: string;
      readonly result: 'moved';
      readonly from: Assignee;
      readonly to: Assignee;
      /** The status with which the conversation moved. */
      readonly status: Status;
      /** When its batch or claim was completed; `null` while a claim waits for more. */
      readonly at: Date | null;
    }
  | { readonly conversationId: string; readonly result: 'skipped'; readonly reason: SkipReason };

/** A page of what an operation has done. */
export interface MovesPage extends Pick<MovesAnswer, 'operationId' | 'campaignId' | 'state' | 'next'> {
  readonly conversations: readonly ConversationResult[];
}

/** Lists the conversations of an answer one by one. */
export function toMovesPage({ moves, skips, ...page }: MovesAnswer): MovesPage {
  const moved = moves.flatMap(({ conversationIds, at, ...move }) => {
    const common = { result: 'moved', ...move, at: at === null ? null : new Date(at) } as const;
    return conversationIds.map((conversationId) => ({ conversationId, ...common }));
  });
  const skipped = skips.flatMap(({ conversationIds, reason }) =>
    conversationIds.map((conversationId) => ({ conversationId, result: 'skipped', reason }) as const),
  );
  return { ...page, conversations: [...moved, ...skipped] };
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
