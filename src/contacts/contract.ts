import type { JobsOptions } from 'bullmq';
import { z } from 'zod';
import { Refusal } from '../domain/errors.ts';
import { campaignId, conversationId } from '../domain/ids.ts';
import { parseWith, type DeepReadonly } from '../domain/requests.ts';
import { JOB_VERSION, RETAINED_BRIEFLY, version } from '../queue/job.ts';

const PHONE_RULE = 'must be a phone number in the form of E.164, such as +12025550199';
const ONE_OF_BOTH = 'must have either "phone" or "conversationId"';

const optOutRequest = z
  .strictObject({
    campaignId,
    phone: z
      .string({ error: PHONE_RULE })
      .regex(/^\+[1-9][0-9]{6,14}$/, { error: PHONE_RULE })
      .optional()
      .describe('The phone number of the person, in the form of E.164. The worker deletes it from the job.'),
    conversationId: conversationId.optional(),
  })
  .refine((request) => (request.phone === undefined) !== (request.conversationId === undefined), {
    error: ONE_OF_BOTH,
  });

/** Names a person on a campaign by their phone number or by their conversation. */
export type OptOutRequest = DeepReadonly<z.output<typeof optOutRequest>>;

/** The jobs are in the queue of requests to cancel, so that no bulk operation delays them. */
export const OPT_OUT_JOB = 'opt-out';
export const LIFT_OPT_OUT_JOB = 'lift-opt-out';

/** The job has a random id: repeating it changes nothing. */
export const optOutJob = z.strictObject({ version, request: optOutRequest });
type OptOutJob = z.output<typeof optOutJob>;

export const OPT_OUT_JOB_OPTIONS = { attempts: 8, ...RETAINED_BRIEFLY } as const satisfies JobsOptions;

/** The return value of both jobs. */
export interface OptOutAnswer {
  readonly campaignId: string;
  /** The conversations of the person. More than one only if an earlier version stored their number in several forms. */
  readonly conversationIds: readonly string[];
  /** Whether the person is opted out now. */
  readonly optedOut: boolean;
  /** The number of conversations that changed; 0 when it was so already. */
  readonly changed: number;
}

/** Parses the request and makes the job. Throws a `bad-request` refusal. */
export function newOptOutJob(request: unknown): OptOutJob {
  return parseOptOutJob({ version: JOB_VERSION, request });
}

/** Throws a `bad-request` refusal, which does not quote the wrong value: it may be a phone number. */
export function parseOptOutJob(data: unknown): OptOutJob {
  try {
    return parseWith(optOutJob, data);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { code, message, expected } = error;
    throw new Refusal(code, { message, expected, received: 'another value' });
  }
}
