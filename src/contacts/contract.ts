import type { JobsOptions } from 'bullmq';
import { z } from 'zod';
import { Refusal } from '../domain/errors.ts';
import { campaignId, conversationId } from '../domain/ids.ts';
import { parseWith, type DeepReadonly } from '../domain/requests.ts';
import { JOB_VERSION, RETAINED_BRIEFLY, version } from '../queue/job.ts';

const PHONE_RULE = 'must be a phone number in the form of E.164, such as +12025550199';
const ONE_OF_BOTH = 'must have either "phone" or "conversationId"';

const personRequest = z
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
export type PersonRequest = DeepReadonly<z.output<typeof personRequest>>;

/** The jobs are in the queue of requests to cancel, so that no bulk operation delays them. */
export const OPT_OUT_JOB = 'opt-out';
export const LIFT_OPT_OUT_JOB = 'lift-opt-out';
export const ERASE_JOB = 'erase';

/** The job has a random id: repeating it changes nothing. */
export const personJob = z.strictObject({ version, request: personRequest });
type PersonJob = z.output<typeof personJob>;

export const PERSON_JOB_OPTIONS = { attempts: 8, ...RETAINED_BRIEFLY } as const satisfies JobsOptions;

/** The return value of the jobs `opt-out` and `lift-opt-out`. */
export interface OptOutAnswer {
  readonly campaignId: string;
  /** The conversations of the person. More than one only if an earlier version stored their number in several forms. */
  readonly conversationIds: readonly string[];
  /** Whether the person is opted out now. */
  readonly optedOut: boolean;
  /** The number of conversations that changed; 0 when it was so already. */
  readonly changed: number;
}

/** The return value of the job `erase`. */
export interface EraseAnswer {
  readonly campaignId: string;
  /** The conversations of the person. They stay, without name, phone number and external id. */
  readonly conversationIds: readonly string[];
  /** The number of conversations that changed; 0 when the person was erased already. */
  readonly changed: number;
}

/** Parses the request and makes the job. Throws a `bad-request` refusal. */
export function newPersonJob(request: unknown): PersonJob {
  return parsePersonJob({ version: JOB_VERSION, request });
}

/** Throws a `bad-request` refusal, which does not quote the wrong value: it may be a phone number. */
export function parsePersonJob(data: unknown): PersonJob {
  try {
    return parseWith(personJob, data);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { code, message, expected } = error;
    throw new Refusal(code, { message, expected, received: 'another value' });
  }
}
