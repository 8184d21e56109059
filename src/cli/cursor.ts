import { STATUSES } from '../domain/conversation.ts';
import type { Position } from '../domain/selection.ts';
import { misused } from './input.ts';

/** A place in the order of selection, in a form that can be forwarded back. */
export function writeCursor({ status, waitingSince, id }: Position): string {
  return [status, waitingSince, id].join('_');
}

const CURSOR = /^([a-z-]+)_(-?\d{1,16})_([0-9a-f]{24})$/;

/** Throws a `bad-request` refusal for what {@link writeCursor} never wrote. */
export function readCursor(cursor: string): Position {
  const [, word, waitingSince, id = ''] = CURSOR.exec(cursor) ?? [];
  const status = STATUSES.find((known) => known === word);
  if (!status) throw misused('the cursor that the page before gave', JSON.stringify(cursor));
  return { status, waitingSince: Number(waitingSince), id };
}
