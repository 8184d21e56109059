import type { JobsOptions } from 'bullmq';
import { z } from 'zod';
import { Refusal } from '../domain/errors.ts';
import { campaignId, conversationId } from '../domain/ids.ts';
import { parseWith } from '../domain/requests.ts';
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

export type { PersonRequest } from '../domain/inputs.ts';

/** The jobs are in the queue of requests to cancel, so that no bulk operation delays them. */
export const OPT_OUT_JOB = 'opt-out';
export const LIFT_OPT_OUT_JOB = 'lift-opt-out';
export const ERASE_JOB = 'erase';

/** The job has a random id: repeating it changes nothing. */
export const personJob = z.strictObject({ version, request: personRequest });
type PersonJob = z.output<typeof personJob>;

export const PERSON_JOB_OPTIONS = { attempts: 8, ...RETAINED_BRIEFLY } as const satisfies JobsOptions;

export type { EraseAnswer, OptOutAnswer } from '../domain/answers.ts';

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
