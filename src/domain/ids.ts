import { z } from 'zod';
import { ID, ID_CHARS_MAX, ORGANISATION_CHARS_MAX, ruleFor, STORED_ID, STORED_ID_CHARS_MAX } from './id-rules.ts';

function id(description: string) {
  const error = (issue: { readonly input?: unknown }): string => ruleFor(issue.input);
  return z.string({ error }).max(ID_CHARS_MAX, { error }).regex(ID, { error }).describe(description);
}

function storedId(description: string) {
  const error = (issue: { readonly input?: unknown }): string => ruleFor(issue.input);
  return z.string({ error }).max(STORED_ID_CHARS_MAX, { error }).regex(STORED_ID, { error }).describe(description);
}

/** An id as callers of the HTTP API write it. It cannot contain the separator, so it never names another organisation. */
export const outsideId = (noun: string) => id(`The id of ${noun}, 1 to ${ID_CHARS_MAX} characters.`);

export const organisationId = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,23}$/, {
    error: `must be 1 to ${ORGANISATION_CHARS_MAX} lower-case letters, digits or "-", with a letter first`,
  })
  .describe('The id of an organisation.');

const opaque = (noun: string): string =>
  `The id of ${noun}. It must not be a name or a phone number, because the queue stores it unencrypted.`;

export const operationId = storedId(
  'The id of the operation, made by the caller. A request that is sent again with the same id takes effect only once.',
);
export const campaignId = storedId(opaque('a campaign'));
export const texterId = id(opaque('a texter'));
export const actorId = id(opaque('the person who asks'));

export const conversationId = z
  .string({ error: 'must be 24 hexadecimal digits in lower case' })
  .regex(/^[0-9a-f]{24}$/, { error: 'must be 24 hexadecimal digits in lower case' })
  .describe('The id of a conversation: 24 hexadecimal digits in lower case.');

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const TRACEPARENT_RULE =
  'must be a traceparent of W3C Trace Context, such as 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

export const traceparent = z
  .string({ error: TRACEPARENT_RULE })
  .regex(TRACEPARENT, { error: TRACEPARENT_RULE })
  .describe(
    'The traceparent of W3C Trace Context. It is stored with the operation, and log lines and results name it. It makes no ' +
      'difference for what the operation does.',
  );

/** Larger than any campaign, and small enough that a JavaScript number is exact. */
export const COUNT_MAX = 1_000_000_000;
const COUNT_RULE = `must be a whole number from 1 to ${COUNT_MAX.toLocaleString('en-US')}`;

export const count = z.int({ error: COUNT_RULE }).min(1, { error: COUNT_RULE }).max(COUNT_MAX, { error: COUNT_RULE });

/** The longest name of a campaign, a texter or a contact. */
export const NAME_CHARS_MAX = 200;
