import type { JobsOptions } from 'bullmq';
import { z } from 'zod';
import { campaignId, count, operationId, texterId, traceparent } from '../domain/ids.ts';
import { idText } from '../domain/safe-text.ts';
import { parseWith } from '../domain/requests.ts';
import type { Receipt } from '../domain/receipt.ts';
import type { StoredError } from '../domain/stored-error.ts';
import { DAY_S, envelope, JOB_VERSION, RETAINED_FOR_RESENDING, version, requireMatchingId } from '../queue/job.ts';

/** No texter waits longer than a day for conversations. */
const WAIT_MS_MAX = 24 * 60 * 60 * 1_000;

/** A texter asks for more conversations. A claim is an operation of kind `self-assign`. */
export const claimRequest = z.strictObject({
  kind: z.literal('self-assign'),
  operationId,
  campaignId,
  texterId,
  count: count
    .optional()
    .describe("How many conversations the texter asks for. Default: the campaign's maximum for one claim."),
  waitMs: z
    .int()
    .min(1)
    .max(WAIT_MS_MAX)
    .optional()
    .describe(
      'How long to wait for more when the pool is short, in milliseconds. Default: no waiting. A texter has one waiting claim at ' +
        'a time: a newer one that waits ends the older at once with what it has, and with the reason `replaced`.',
    ),
  traceparent: traceparent.optional(),
});

export type ClaimRequest = z.infer<typeof claimRequest>;

export type { ClaimInput } from '../domain/inputs.ts';

export function parseClaimRequest(input: unknown): ClaimRequest {
  return parseWith(claimRequest, input);
}

export const CLAIM_JOB = 'claim';

export const claimJob = z.strictObject({ ...envelope, request: claimRequest });

export type ClaimJob = z.infer<typeof claimJob>;

/** The first retries come quickly, because a texter waits for the answer. */
export const CLAIM_JOB_OPTIONS = {
  attempts: 8,
  backoff: { type: 'exponential', delay: 100, jitter: 0.5 },
  removeOnComplete: { age: DAY_S, count: 20_000 },
  ...RETAINED_FOR_RESENDING,
} as const satisfies JobsOptions;

export type { ClaimAnswer } from '../domain/answers.ts';

export function newClaimJob(request: ClaimRequest, sendId: string): ClaimJob {
  return { version: JOB_VERSION, sendId, request };
}

/** Throws a `bad-request` refusal when the data is not a claim's, or when the job has another operation's id. */
export function parseClaimJob(jobId: string, data: unknown): ClaimJob {
  return requireMatchingId(jobId, parseWith(claimJob, data));
}

/** Serves the waiting claims of a campaign: conversations came back to the pool, or a rule was relaxed. */
export const POOL_REFILLED_JOB = 'pool-refilled';

export const poolRefilledJob = z.strictObject({ version, campaignId });

type PoolRefilledJob = z.infer<typeof poolRefilledJob>;

/** However often a refill is reported, at most one job of the campaign waits and one runs. */
export function poolRefilledJobOptions(id: string): JobsOptions {
  const deduplication = { id: `refilled_${id}`, keepLastIfActive: true };
  const { attempts, backoff } = CLAIM_JOB_OPTIONS;
  return { attempts, backoff, removeOnComplete: true, removeOnFail: true, deduplication };
}

/** Throws a `bad-request` refusal when the campaign's id is malformed. */
export function newPoolRefilledJob(campaignId: string): PoolRefilledJob {
  return parsePoolRefilledJob({ version: JOB_VERSION, campaignId });
}

export function parsePoolRefilledJob(data: unknown): PoolRefilledJob {
  return parseWith(poolRefilledJob, data);
}

/** A claim and the id of the call that sent it. */
const claimCommand = z.object({ request: claimRequest, requestHash: z.string(), sendId: z.string() });

export type ClaimCommand = z.infer<typeof claimCommand>;

/**
 * One entry of a coordinator's backlog, and the message that forwards it to the worker with the lease. `coordinatorId` is
 * the coordinator that waits for the reply. Without a command, the entry asks for a round for the waiting claims.
 */
const forwardedClaim = z
  .object({ coordinatorId: z.string(), id: z.string(), command: claimCommand.nullable() })
  .refine(({ id, command }) => command === null || command.request.operationId === id, {
    error: 'the id of a claim is its operation id',
  });

export type ForwardedClaim = z.infer<typeof forwardedClaim>;

/** Throws when `text` is not a forwarded claim of the campaign. Any program can write to Redis. */
export function parseForwardedClaim(text: string, campaignId: string): ForwardedClaim {
  const forwarded = parseWith(forwardedClaim, JSON.parse(text));
  const other = forwarded.command?.request.campaignId ?? campaignId;
  if (other !== campaignId)
    throw new Error(`a claim of campaign ${idText(other)} was forwarded to campaign ${idText(campaignId)}`);
  return forwarded;
}

/** What the worker that asked needs of a claim that another worker may have served. */
const servedClaim = z.object({
  operationId: z.string(),
  requestHash: z.string(),
  createdBySendId: z.string(),
  granted: z.array(z.string()),
  receipt: z.custom<Receipt>().nullable(),
  error: z.custom<StoredError>().nullable(),
  waitsUntilMs: z.number().nullable().describe('Milliseconds since 1970; null when the claim has ended.'),
});

export type ServedClaim = z.infer<typeof servedClaim>;

/** The reply to a forwarded claim. A reply to a request for a round has no more than the id when the round was served. */
const claimReply = z.object({
  id: z.string(),
  served: servedClaim.optional(),
  failure: z.string().optional(),
  isDelayed: z
    .boolean()
    .optional()
    .describe('The failure: conflicts with other writers; the claim can be served later.'),
});

export type ClaimReply = z.infer<typeof claimReply>;

const claimReplies = z.array(claimReply);

/** Throws when `text` is not a list of replies. */
export function parseClaimReplies(text: string): ClaimReply[] {
  return parseWith(claimReplies, JSON.parse(text));
}
