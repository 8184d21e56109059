import type { z } from 'zod';
import { InvalidRequest } from './validation.ts';

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
