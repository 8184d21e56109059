import type { JobsOptions } from 'bullmq';
import { z } from 'zod';
import type { ClaimRequest } from './claim.ts';
import type { Receipt } from '../domain/receipt.ts';
import { campaignId } from '../domain/ids.ts';
import { claimRequest } from './contract.ts';
import { parseWith } from '../domain/parse.ts';
import { DAY_S, envelope, JOB_VERSION, KEPT_FOR_ITS_ASKER, version } from '../queue/job.ts';
import { withItsId } from '../queue/job.ts';

/** A claim. Claims never wait behind other work: a queue and workers of their own. */
export const CLAIM_JOB = 'claim';

export const claimJob = z.strictObject({ ...envelope, request: claimRequest });

export type ClaimJob = z.output<typeof claimJob>;

/** A texter is waiting for the answer, and asks again rather than wait long. */
export const CLAIM_JOB_OPTIONS = {
  attempts: 8,
  backoff: { type: 'exponential', delay: 100, jitter: 0.5 },
  removeOnComplete: { age: DAY_S, count: 20_000 },
  ...KEPT_FOR_ITS_ASKER,
} as const satisfies JobsOptions;

/** What its job returns. */
export interface ClaimAnswer {
  readonly operationId: string;
  readonly createdBySendId: string;
  readonly requestHash: string;
  readonly conversationIds: readonly string[];
  readonly receipt: Receipt;
}

export function newClaimJob(request: ClaimRequest, sendId: string): ClaimJob {
  return { version: JOB_VERSION, sendId, request };
}

/** Checks a job's body, wherever it comes from. Throws a `bad-request` refusal. */
export function parseClaimJob(jobId: string, data: unknown): ClaimJob {
  return withItsId(jobId, parseWith(claimJob, data));
}

/** Says that claims of a campaign that wait may be let through now: conversations came back, or a rule was eased. */
export const POOL_REFILLED_JOB = 'pool-refilled';

export const poolRefilledJob = z.strictObject({ version, campaignId });

export type PoolRefilledJob = z.output<typeof poolRefilledJob>;

/** However often it is said, one job waits and one runs at the most. */
export function poolRefilledJobOptions(id: string): JobsOptions {
  const deduplication = { id: `refilled_${id}`, keepLastIfActive: true };
  const { attempts, backoff } = CLAIM_JOB_OPTIONS;
  return { attempts, backoff, removeOnComplete: true, removeOnFail: true, deduplication };
}

/** Checks the campaign's id and makes the job. Throws a `bad-request` refusal. */
export function newPoolRefilledJob(campaignId: string): PoolRefilledJob {
  return parsePoolRefilledJob({ version: JOB_VERSION, campaignId });
}

export function parsePoolRefilledJob(data: unknown): PoolRefilledJob {
  return parseWith(poolRefilledJob, data);
}
