import type { JobsOptions } from 'bullmq';
import { z } from 'zod';
import type { Receipt } from '../domain/receipt.ts';
import type { OperationRequest } from './request.ts';
import { operationRequest } from './contract.ts';
import { parseWith } from '../domain/parse.ts';
import { DAY_S, envelope, JOB_VERSION, KEPT_FOR_ITS_ASKER } from '../queue/job.ts';
import { withItsId } from '../queue/job.ts';

/** An operation: carried on slice by slice until it has ended. */
export const OPERATION_JOB = 'operation';

export const operationJob = z.strictObject({ ...envelope, request: operationRequest });

export type OperationJob = z.output<typeof operationJob>;

export const OPERATION_JOB_OPTIONS = {
  attempts: 10,
  backoff: { type: 'exponential', delay: 500, jitter: 0.5 },
  removeOnComplete: { age: DAY_S, count: 5_000 },
  ...KEPT_FOR_ITS_ASKER,
} as const satisfies JobsOptions;

/** What its job returns. */
export interface OperationAnswer {
  readonly operationId: string;
  readonly state: 'done' | 'cancelled';
  /** The sending that made the operation. */
  readonly createdBySendId: string;
  readonly receipt: Receipt;
}

export function newOperationJob(request: OperationRequest, sendId: string): OperationJob {
  return { version: JOB_VERSION, sendId, request: request as OperationJob['request'] };
}

/** Checks a job's body, wherever it comes from. Throws a `bad-request` refusal. */
export function parseOperationJob(jobId: string, data: unknown): OperationJob {
  return withItsId(jobId, parseWith(operationJob, data));
}
