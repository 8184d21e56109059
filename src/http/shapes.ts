import { z } from 'zod';
import { STATUSES } from '../domain/conversation.ts';
import { actorId, count, NAME_CHARS_MAX, outsideId, texterId } from '../domain/ids.ts';
import { reportProblem } from '../domain/requests.ts';
import { readName } from '../domain/visible-text.ts';
import { SELF_ASSIGN_BATCH_MAX } from '../campaigns/index.ts';

/** Parts of the requests and responses that several routes share. */

export const campaignParams = z.object({ campaignId: outsideId('the campaign').meta({ examples: ['c_bartlett'] }) });
export const texterParams = campaignParams.extend({ texterId: texterId.meta({ examples: ['t_kevin'] }) });
export const operationParams = campaignParams.extend({
  operationId: outsideId('the operation').meta({ examples: ['shift-change-0412'] }),
});

/** Some codes of two letters belong to no country, or to one without phone numbers. Those are refused later. */
export const countryCode = z
  .string()
  .regex(/^[A-Za-z]{2}$/, { error: 'must be an ISO 3166 code of two letters, such as US' });

export const actor = {
  actorId: actorId.optional().describe('An opaque id of the person who asks. It is recorded.'),
};

/** The body of a change that needs no other value. */
export const actorOnly = z
  .strictObject(actor)
  .optional()
  .meta({ id: 'ActorOnly', examples: [{}] });

/** A name that people write. The use cases check it too, but only here the problem points to the field. */
export const nameText = z
  .string()
  .min(1)
  .max(NAME_CHARS_MAX)
  .superRefine(reportProblem(nameProblem))
  .describe(
    'One line with a visible character. White space is folded, and characters that cannot be seen are left out.',
  );

function nameProblem(text: string): string | undefined {
  const reading = readName(text);
  if ('broken' in reading) return reading.broken;
  return reading.name === '' ? 'must have a visible character' : undefined;
}

/** An instant. It is written in ISO 8601 with milliseconds, and read with any offset. */
export const instant = z.codec(z.iso.datetime({ offset: true }), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
});

export const status = z.enum(STATUSES).meta({ id: 'Status' });

export const countsByStatus = z
  .object(
    Object.fromEntries(STATUSES.map((status) => [status, z.int()])) as Record<(typeof STATUSES)[number], z.ZodInt>,
  )
  .meta({ id: 'StatusCounts', description: 'The conversations that a texter can act on, by status.' });

const conversationCount = z.int();
export const optedOutCount = conversationCount.describe('Conversations of contacts who opted out.');
const loadFields = {
  counts: countsByStatus,
  optedOut: optedOutCount,
  incomplete: conversationCount.describe('Conversations that operations skip, because other programs left fields out.'),
  total: conversationCount,
};
export const load = z.object(loadFields).meta({ id: 'Load' });
export const sender = z
  .object({
    texterId: z.string(),
    name: z.string().nullable().describe('null for a texter who is not on the campaign.'),
    active: z.boolean(),
    ...loadFields,
  })
  .meta({ id: 'Sender' });

const selfAssignRules = z.object({
  enabled: z.boolean().describe('Whether texters may take conversations from the pool.'),
  batchMax: count.max(SELF_ASSIGN_BATCH_MAX).describe('The most conversations of one claim.'),
  openMax: count.describe('The most not-started conversations that a texter has after a claim.'),
  repliesMax: z
    .int()
    .min(0)
    .max(1_000_000)
    .nullable()
    .describe('No claim while the texter has more conversations that need a reply. null: no limit.'),
});

export const selfAssign = selfAssignRules.meta({ id: 'SelfAssignRules' });
export const selfAssignChanges = z.strictObject(selfAssignRules.partial().shape).meta({ id: 'SelfAssignChanges' });

export const campaign = z
  .object({
    campaignId: z.string(),
    name: z.string(),
    closed: z.boolean().describe('Conversations of a closed campaign can go back to the pool, but not to a texter.'),
    country: z.string().nullable().describe('The country of phone numbers without a country code.'),
    selfAssign,
    texterCount: z.int().describe('The number of texters that ever joined.'),
    createdAt: instant,
  })
  .meta({ id: 'Campaign' });

export const texter = z
  .object({
    texterId: z.string(),
    name: z.string(),
    active: z.boolean().describe('A paused texter keeps the assigned conversations and gets no more.'),
    joinedOrder: z.int().describe("The texter's place in the order of joining, from 1."),
  })
  .meta({ id: 'Texter' });
