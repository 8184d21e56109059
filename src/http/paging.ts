import { z } from 'zod';
import { VISIBLE_STATUSES, type Position } from '../domain/conversation.ts';

const PAGE_MAX = 200;
const PAGE_DEFAULT = 50;
const PAGE_RULE = `must be a whole number from 1 to ${PAGE_MAX}`;

/** The document allows decimal digits only. `Number` would also read `0x10` and `1e1`. */
const limit = z
  .preprocess(
    (text) => (/^\d{1,3}$/.test(String(text)) ? Number(text) : text),
    z.int({ error: PAGE_RULE }).min(1, { error: PAGE_RULE }).max(PAGE_MAX, { error: PAGE_RULE }),
  )
  .default(PAGE_DEFAULT)
  .describe('The most entries of the page.')
  .meta({ type: 'integer', minimum: 1, maximum: PAGE_MAX });

/** The query of a list that is read page by page. `place` reads the texts that {@link next} has. */
export function pageAfter<Place extends z.ZodType>(place: Place) {
  const after = place.optional().describe('The `next` of the page before. Default: the first page.');
  return { limit, after };
}

export const next = z.string().nullable().describe('The `after` of the next page; null after the last one.');

const NEXT_RULE = 'must be the "next" of the page before';
const ID_CHARS_MAX = 200;

/** A text that follows this pattern names a place. The groups of the pattern are its parts. */
export function placeText(pattern: RegExp) {
  return z.string({ error: NEXT_RULE }).regex(pattern, { error: NEXT_RULE });
}

function partsOf(pattern: RegExp, text: string): string[] {
  const [, ...parts] = pattern.exec(text) ?? [];
  return parts;
}

/** A place in a list that is ordered by a moment and an id. */
export interface MomentPlace {
  readonly at: Date;
  readonly id: string;
}

/** Other programs can have written ids of every kind. */
const MOMENT_PLACE = new RegExp(`^(-?[0-9]{1,15})_([^\\r\\n]{1,${ID_CHARS_MAX}})$`);

export const momentPlace = z.codec(placeText(MOMENT_PLACE), z.custom<MomentPlace>(), {
  decode: (text) => {
    const [ms, id = ''] = partsOf(MOMENT_PLACE, text);
    return { at: new Date(Number(ms)), id };
  },
  encode: ({ at, id }) => `${at.getTime()}_${id}`,
});

/** A place in the conversations view. */
const VIEW_PLACE = new RegExp(`^(${VISIBLE_STATUSES.join('|')})_(-?[0-9]{1,15})_([0-9a-f]{24})$`);

export const viewPlace = z.codec(placeText(VIEW_PLACE), z.custom<Position>(), {
  decode: (text) => {
    const [status, ms, id = ''] = partsOf(VIEW_PLACE, text);
    return { status: status as Position['status'], waitingSince: Number(ms), id };
  },
  encode: ({ status, waitingSince, id }) => `${status}_${waitingSince}_${id}`,
});
