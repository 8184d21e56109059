import { z } from 'zod';
import { InvalidRequest } from './validation.ts';

const PAGE_MAX = 200;
const PAGE_DEFAULT = 50;
const PAGE_RULE = `must be a whole number from 1 to ${PAGE_MAX}`;

/** The query of a list that is read page by page. */
export const page = {
  limit: z.coerce
    .number({ error: PAGE_RULE })
    .int({ error: PAGE_RULE })
    .min(1, { error: PAGE_RULE })
    .max(PAGE_MAX, { error: PAGE_RULE })
    .default(PAGE_DEFAULT)
    .describe('The most entries of the page.'),
  after: z.string().max(300).optional().describe('The `next` of the page before. Default: the first page.'),
};

export const next = z.string().nullable().describe('The `after` of the next page; null after the last one.');

/** Writes a place in a list as an opaque text. */
export function cursorOf(place: object): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url');
}

/** Reads a cursor. Throws a problem for a text that {@link cursorOf} has not written. */
export function readCursor<Schema extends z.ZodType>(
  schema: Schema,
  text: string | undefined,
): z.output<Schema> | null {
  if (text === undefined) return null;
  const parsed = schema.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  const message = 'must be the "next" of the page before';
  throw new InvalidRequest('querystring', [{ code: 'custom', path: ['after'], message, input: text }]);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    return undefined;
  }
}
