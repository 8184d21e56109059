import { createHash } from 'node:crypto';
import type { JobsOptions } from 'bullmq';
import { z } from 'zod';
import { shown, Refusal } from '../domain/errors.ts';
import type { Receipt } from '../domain/receipt.ts';
import type { ClaimRequest } from '../domain/claim.ts';
import type { OperationRequest } from '../domain/request.ts';
import { campaignId } from './ids.ts';
import {
  claimRequest,
  operationRequest,
  parseWith,
  cancelRequest,
  reassignRequest,
  unassignRequest,
  undoRequest,
  type Unchanged,
} from './requests.ts';

/**
 * What travels through the queue: the one place where a queue or a job is named, with its shape, its id and its options.
 * Producer and worker both read it here; `job.schema.json` is made from it for producers in other languages.
 */
export const OPERATIONS_QUEUE = 'operations';
export const OPERATION_JOB = 'operation';
export const PREVIEWS_QUEUE = 'previews';
export const PREVIEW_JOB = 'preview';

/** Braces keep all of a queue's keys in one slot of a Redis Cluster. */
export const DEFAULT_QUEUE_PREFIX = '{baton}';

/** A job larger than this is a mistake or an attack: requests carry ids and numbers only. */
export const JOB_BYTES_MAX = 256 * 1024;

const JOB_VERSION = 1;

const envelope = {
  version: z.literal(JOB_VERSION),
  sentBy: z
    .string()
    .min(1)
    .max(64)
    .describe('New for each sending: tells the one that made the operation from those that met it.'),
};

export const operationJob = z.strictObject({ ...envelope, request: operationRequest });

export type OperationJob = z.output<typeof operationJob>;

/** The id is checked by the request's schema; a preview has none to keep, so any will do. */
export const previewJob = z.strictObject({
  version: z.literal(JOB_VERSION),
  request: z.discriminatedUnion('kind', [reassignRequest, unassignRequest, undoRequest]),
});

export type PreviewJob = z.output<typeof previewJob>;

/** The same request that the operation would be sent with. */
export type PreviewRequest = Unchanged<z.input<typeof previewJob>['request']>;

/** Claims never wait behind other work: a queue and workers of their own. */
export const CLAIMS_QUEUE = 'claims';
export const CLAIM_JOB = 'claim';
/** Says that claims of a campaign that wait may be let through now: conversations came back, or a rule was eased. */
export const POOL_REFILLED_JOB = 'pool-refilled';

export const claimJob = z.strictObject({ ...envelope, request: claimRequest });

export type ClaimJob = z.output<typeof claimJob>;

export const poolRefilledJob = z.strictObject({ version: envelope.version, campaignId });

export type PoolRefilledJob = z.output<typeof poolRefilledJob>;

/** What is said to operations under way: a queue of its own, since they may occupy every place of theirs. */
export const CONTROLS_QUEUE = 'controls';
export const CANCEL_JOB = 'cancel';

/** Cancelling again is no harm: any new id will do for its job. */
export const cancelJob = z.strictObject({ version: envelope.version, request: cancelRequest });

type CancelJob = z.output<typeof cancelJob>;

export type CancelInput = Unchanged<z.input<typeof cancelRequest>>;

const DAY_S = 24 * 60 * 60;

/** Redis keeps a job only as long as somebody may come back for its answer: what counts is kept in MongoDB. */
export const OPERATION_JOB_OPTIONS = {
  attempts: 10,
  backoff: { type: 'exponential', delay: 500, jitter: 0.5 },
  removeOnComplete: { age: DAY_S, count: 5_000 },
  removeOnFail: { age: 14 * DAY_S, count: 20_000 },
  stackTraceLimit: 3,
  sizeLimit: JOB_BYTES_MAX,
} as const satisfies JobsOptions;

/** A texter is waiting for the answer, and asks again rather than wait long. */
export const CLAIM_JOB_OPTIONS = {
  ...OPERATION_JOB_OPTIONS,
  attempts: 8,
  backoff: { type: 'exponential', delay: 100, jitter: 0.5 },
  removeOnComplete: { age: DAY_S, count: 20_000 },
} as const satisfies JobsOptions;

/** The sweep's queue: one job at a time over all workers, made by a schedule of this name. */
export const SWEEPS_QUEUE = 'sweeps';
export const SWEEP_JOB = 'sweep';

/** The next one makes good for one that fails. */
export const SWEEP_JOB_OPTIONS = { attempts: 1, removeOnComplete: true, removeOnFail: true } as const;

/** Nobody comes back for a preview: its asker waits for it, or asks again. */
export const PREVIEW_JOB_OPTIONS = {
  attempts: 3,
  backoff: { type: 'exponential', delay: 200, jitter: 0.5 },
  removeOnComplete: { age: 600, count: 1_000 },
  removeOnFail: { age: 600, count: 1_000 },
  stackTraceLimit: 3,
  sizeLimit: JOB_BYTES_MAX,
} as const satisfies JobsOptions;

/** Somebody is waiting for it to stop; asked again, it is answered again. */
export const CANCEL_JOB_OPTIONS = {
  ...PREVIEW_JOB_OPTIONS,
  attempts: 8,
} as const satisfies JobsOptions;

export function newOperationJob(request: OperationRequest, sentBy: string): OperationJob {
  return { version: JOB_VERSION, sentBy, request: request as OperationJob['request'] };
}

/** However often it is said, one job waits and one runs at the most. */
export function poolRefilledJobOptions(id: string): JobsOptions {
  const deduplication = { id: `refilled_${id}`, keepLastIfActive: true };
  const { attempts, backoff } = CLAIM_JOB_OPTIONS;
  return { attempts, backoff, removeOnComplete: true, removeOnFail: true, deduplication };
}

export function newClaimJob(request: ClaimRequest, sentBy: string): ClaimJob {
  return { version: JOB_VERSION, sentBy, request };
}

export function newPoolRefilledJob(campaignId: string): PoolRefilledJob {
  return parseWith(poolRefilledJob, { version: JOB_VERSION, campaignId });
}

/** Checks the request and makes the job. Throws a `bad-request` refusal. */
export function newPreviewJob(request: unknown): PreviewJob {
  return parsePreviewJob({ version: JOB_VERSION, request });
}

export function parsePoolRefilledJob(data: unknown): PoolRefilledJob {
  return parseWith(poolRefilledJob, data);
}

export function parsePreviewJob(data: unknown): PreviewJob {
  return parseWith(previewJob, data);
}

/** Checks the request and makes the job. Throws a `bad-request` refusal. */
export function newCancelJob(request: unknown): CancelJob {
  return parseCancelJob({ version: JOB_VERSION, request });
}

export function parseCancelJob(data: unknown): CancelJob {
  return parseWith(cancelJob, data);
}

/** Checks a job's body, wherever it comes from. Throws a `bad-request` refusal. */
export function parseOperationJob(jobId: string, data: unknown): OperationJob {
  return withItsId(jobId, parseWith(operationJob, data));
}

export function parseClaimJob(jobId: string, data: unknown): ClaimJob {
  return withItsId(jobId, parseWith(claimJob, data));
}

/**
 * The queue keeps a job beside keys of its own, under names such as "wait" and "events": no operation's id may ever be
 * one of those, nor a mere number, which it refuses.
 */
export function jobIdOf(operationId: string): string {
  return `op-${operationId}`;
}

/** A job made by hand may have the operation's bare id: the ledger, not the queue, keeps the two apart. */
function withItsId<Job extends { request: { operationId: string } }>(jobId: string, job: Job): Job {
  const { operationId } = job.request;
  if (jobId === jobIdOf(operationId) || jobId === operationId) return job;
  throw new Refusal('bad-request', {
    expected: `the job's id to be "op-" and the operation's`,
    got: `${shown(jobId)} and ${shown(job.request.operationId)}`,
  });
}

/** Two requests with one hash are the same request. Keys are sorted: their order is nobody's meaning. */
export function requestHash(request: OperationRequest | ClaimRequest): string {
  return createHash('sha256').update(canonical(request)).digest('base64url');
}

/** The request that a job carries; `undefined` when it carries none that can be read. */
export function requestOfJob(data: unknown): OperationRequest | ClaimRequest | undefined {
  const parsed = z.union([operationJob, claimJob]).safeParse(data);
  return parsed.success ? parsed.data.request : undefined;
}

export function hashOfJob(data: unknown): string | undefined {
  const request = requestOfJob(data);
  return request && requestHash(request);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** A claim's answer, as its job returns it. */
export interface ClaimAnswer {
  readonly operationId: string;
  readonly madeBy: string;
  readonly requestHash: string;
  readonly conversationIds: readonly string[];
  readonly receipt: Receipt;
}

/** What was cancelled, as the cancel's job returns it. */
export interface CancelAnswer {
  readonly operationId: string;
  readonly state: 'cancelled';
  readonly receipt: Receipt;
}

/** An operation's answer, as its job returns it. */
export interface OperationAnswer {
  readonly operationId: string;
  readonly state: 'done' | 'cancelled';
  /** The sending that made the operation. */
  readonly madeBy: string;
  readonly receipt: Receipt;
}
