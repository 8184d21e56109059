import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unwrappedId, withGuard, withIdGuard, withoutGuard } from '../../src/contacts/formulas.ts';
import { EXPORT_COLUMNS, withoutFormulas, type ExportRow } from '../../src/contacts/export.ts';

const EMPTY = Object.fromEntries(EXPORT_COLUMNS.map((column) => [column, ''])) as ExportRow;
const GUARDED = ['external_id', 'name', 'phone', 'assignee_id', 'assignee'] as const;

const guarded = (cell: string): string => withoutFormulas({ ...EMPTY, name: cell }).name;

/** The cells that a spreadsheet can make of one cell, whatever it splits at, without quotes and skipped characters. */
function parts(cell: string): string[] {
  return cell.split(/[,;\t|\r\n\u2028\u2029]/).map((part) => part.replace(/^[\s\p{Cc}\p{Cf}"]+/u, ''));
}

describe('the cells of an export', () => {
  const unit = fc.constantFrom(...'=+-@;,|\t\n "a1\u200b\uff1d\'');

  it.each([
    ['=1+1', "'=1+1"],
    ['Ann;=4', "Ann;'=4"],
    [';=4', ";'=4"],
    ['a,+1|-2\t@x', "a,'+1|'-2\t'@x"],
    ['Ann\n=4', "Ann\n'=4"],
    ['Ann; "=4"', 'Ann;\' "=4"'],
    ['\u200b=4', "'\u200b=4"],
    ['\u202e=4', "'=4"],
    ['Ann\u202e4=\u2069', 'Ann4='],
    ['\uff1d4', "'\uff1d4"],
    ['\tAnn', "'\tAnn"],
  ])('have an apostrophe before each formula: %j', (cell, expected) => expect(guarded(cell)).toBe(expected));

  it.each(['Ann-Lee', 'a=b', 'Dana Smith, Jr.', "O'Neil; Ann", 'x@y', 'No. 1 + 2', ''])(
    'stay as they are: %s',
    (cell) => expect(guarded(cell)).toBe(cell),
  );

  it('are guarded in every column whose text comes from outside, but a phone number is not changed', () => {
    const row = { ...EMPTY, ...Object.fromEntries(GUARDED.map((column) => [column, ';=4'])) };
    const safe = withoutFormulas(row);
    for (const column of GUARDED) expect(safe[column]).toBe(";'=4");
    expect(withoutFormulas({ ...EMPTY, phone: '+12025550101' }).phone).toBe('+12025550101');
  });

  it('contain no formula wherever a spreadsheet splits them', () => {
    const withDirections = fc.oneof(unit, fc.constant('\u202e'));
    fc.assert(
      fc.property(fc.string({ unit: withDirections, maxLength: 12 }), (cell) => {
        for (const part of parts(guarded(cell))) expect(part).not.toMatch(/^[=+\-@\uff0b\uff0d\uff1d\uff20]/);
        expect(guarded(cell)).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
      }),
      { numRuns: 5_000 },
    );
  });

  it('come back from an import as they were, also with apostrophes of their own', () => {
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 12 }), (cell) => {
        expect(withoutGuard(withGuard(cell))).toBe(cell);
        expect(unwrappedId(withIdGuard(cell))).toBe(cell);
      }),
      { numRuns: 5_000 },
    );
  });
});
