import type { JobsOptions } from 'bullmq';
import { z } from 'zod';
import type { Receipt } from '../domain/receipt.ts';
import { cancelRequest } from './contract.ts';
import { parseWith, type Unchanged } from '../domain/parse.ts';
import { JOB_VERSION, KEPT_SHORTLY, version } from '../queue/job.ts';

/** What is said to operations under way: a queue of its own, since they may occupy every place of theirs. */
export const CANCEL_JOB = 'cancel';

/** Cancelling again is no harm: any new id will do for its job. */
export const cancelJob = z.strictObject({ version, request: cancelRequest });

export type CancelJob = z.output<typeof cancelJob>;

export type CancelInput = Unchanged<z.input<typeof cancelRequest>>;

/** Somebody is waiting for it to stop; asked again, it is answered again. */
export const CANCEL_JOB_OPTIONS = { attempts: 8, ...KEPT_SHORTLY } as const satisfies JobsOptions;

/** What was cancelled, as its job returns it. */
export interface CancelAnswer {
  readonly operationId: string;
  readonly state: 'cancelled';
  readonly receipt: Receipt;
}

/** Checks the request and makes the job. Throws a `bad-request` refusal. */
export function newCancelJob(request: unknown): CancelJob {
  return parseCancelJob({ version: JOB_VERSION, request });
}

export function parseCancelJob(data: unknown): CancelJob {
  return parseWith(cancelJob, data);
}
