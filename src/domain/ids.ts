import { z } from 'zod';

/** Ids travel in job ids, database keys and log lines: short, plain, and never a place to hide something. */
const ID_CHARS_MAX = 64;

const id = (what: 'an operation' | 'a campaign' | 'a texter' | 'an actor') =>
  z
    .string({ error: `expected the id of ${what}` })
    .max(ID_CHARS_MAX)
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]*$/, { error: `expected letters, digits, "-" or "_"` })
    .describe(`Opaque id of ${what}. Never a name or a phone number: it is stored in the queue in the clear.`);

export const operationId = id('an operation').describe(
  'Made by the caller, once for each thing asked for: sending it again never takes effect again.',
);

export const campaignId = id('a campaign');
export const texterId = id('a texter');
export const actorId = id('an actor');

export const conversationId = z
  .string()
  .regex(/^[0-9a-f]{24}$/, { error: 'expected 24 hexadecimal digits' })
  .describe('Conversation id: 24 hexadecimal digits, lower case.');

/** Far above any campaign, and well inside what a number holds exactly. */
export const COUNT_MAX = 1_000_000_000;

export const count = z
  .int({ error: `expected a whole number from 1 to ${COUNT_MAX}` })
  .min(1)
  .max(COUNT_MAX);
