import { BIDI_CONTROL } from '../domain/visible-text.ts';

/*
 * A spreadsheet runs a cell that begins like a formula, also where it splits a cell. An export puts an apostrophe there, and an
 * import takes it off again. A text that has such an apostrophe of its own gets one more, so that every text comes back.
 */

/** Spreadsheets split cells at these, depending on the country of the computer and on what the user chooses. */
const SEPARATOR = '[,;\\t|\\r\\n\\u2028\\u2029]';
/** Spreadsheets skip blanks and invisible characters before a formula, and the quotes around a cell. */
const SKIPPED = '[\\s\\p{Cc}\\p{Cf}\\p{Default_Ignorable_Code_Point}"\']*';
/** Spreadsheets accept the full-width forms too. */
const FORMULA_START = '[=+\\-@\\uff1d\\uff0b\\uff0d\\uff20]';
/** The beginning of each formula: at the start of the cell, or where a spreadsheet would split it. */
const START = `(?<=^|${SEPARATOR})`;
const FORMULA = `(?=${SKIPPED}${FORMULA_START})`;
/** A line end at the start of a cell moves its text into another line. */
const LINE_END = "(?='*[\\t\\r\\n])";
const PLACES = new RegExp(`${START}${FORMULA}|^${LINE_END}`, 'gu');
const GUARDS = new RegExp(`${START}'${FORMULA}|^'${LINE_END}`, 'gu');
const GUARD_AT_START = new RegExp(`^'(?:${FORMULA}|${LINE_END})`, 'u');
const DIRECTIONS = new RegExp(BIDI_CONTROL.source, 'g');

/** Most texts have no apostrophe, and so no guard. */
const GUARD = "'";
const AS_TEXT = /^="(.*)"$/s;

/**
 * Puts an apostrophe before everything that a spreadsheet would run as a formula. Drops characters that change the direction of
 * text, because they show a cell in another order than it has.
 */
export function withGuard(cell: string): string {
  return cell.replace(DIRECTIONS, '').replace(PLACES, GUARD);
}

/** Takes off what {@link withGuard} has added. */
export function withoutGuard(cell: string): string {
  return cell.includes(GUARD) ? cell.replace(GUARDS, '') : cell;
}

/** The same as {@link withGuard}, for an id: {@link unwrappedId} takes off every apostrophe at its start. */
export function withIdGuard(id: string): string {
  const guarded = withGuard(id);
  return guarded.startsWith(GUARD) && !GUARD_AT_START.test(guarded) ? GUARD + guarded : guarded;
}

/** Takes off the guard, or what makes a spreadsheet keep an id as it is: an apostrophe, or `="00125"`. */
export function unwrappedId(cell: string): string {
  const plain = withoutGuard(cell);
  if (GUARD_AT_START.test(cell)) return plain;
  if (plain.startsWith(GUARD)) return plain.slice(GUARD.length);
  return AS_TEXT.exec(plain)?.[1] ?? plain;
}
