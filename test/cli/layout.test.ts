import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { blocks, fittedTable, laidOut, unbroken } from '../../src/cli/layout.ts';
import { widthOf } from '../../src/cli/terminal.ts';

const ID = 'op_0123456789abcdef0123';
const COLUMNS = [
  'operation',
  { title: 'name of the texter', isShortened: true },
  { title: 'needs-reply', spare: 1 },
  { title: 'skipped', whenUsed: true },
  { title: 'accepted', spare: 2 },
] as const;
const ROWS = [
  [ID, 'Rebecca 👩‍👩‍👧 Bartlett-Montgomery', 12, 0, '2020-09-01T10:00:00Z'],
  ['op_2', '山田太郎', 3, 0, '2020-09-01T10:00:00Z'],
] as const;

/** The table as it fits itself, before a line that is still too long is broken. */
function at(width: number): string {
  const fitted = fittedTable(COLUMNS, ROWS);
  return typeof fitted === 'string' ? fitted : fitted(width);
}

describe('a table in a terminal', () => {
  it('is not changed when it fits, and leaves out a column that has nothing', () => {
    expect(at(Infinity).split('\n')[0]).toMatch(/^operation +name of the texter +needs-reply {2}accepted$/);
    expect(at(Infinity)).toContain(' Bartlett-Montgomery ');
    const used = laidOut(fittedTable(COLUMNS, [[ID, 'Ann', 1, 2, '']]), Infinity);
    expect(used).toContain('skipped');
  });

  it('breaks titles, shortens names and drops spare columns, and never cuts an id', () => {
    for (let width = 80; width >= 38; width -= 1) {
      const lines = at(width).split('\n');
      for (const line of lines) expect(stringWidth(line), `${width}: ${line}`).toBeLessThanOrEqual(width);
      expect(at(width)).toContain(ID);
      expect(at(width)).toContain('Rebecca');
    }
    expect(at(80)).toContain('accepted');
    expect(at(60)).not.toContain('accepted');
    expect(at(60)).toMatch(/needs-\s/);
    expect(at(45)).toContain('…');
    expect(at(38)).not.toContain('needs');
  });

  it('becomes a list of names and values where nothing else helps', () => {
    const list = laidOut(fittedTable(COLUMNS, ROWS), 28);
    expect(list.split('\n').slice(0, 3)).toEqual(['operation', `  ${ID}`, 'name of the texter  Rebecca']);
    expect(list).toContain('山田太郎');
  });
});

describe('a text in a terminal', () => {
  it('breaks long lines at blanks, under the second column where there is one', () => {
    const text = blocks('one two three four five six', false, 'name   a value that is long');
    expect(laidOut(text, 20)).toBe('one two three four\nfive six\n\nname   a value that\n       is long');
    expect(laidOut(text, Infinity)).toBe('one two three four five six\n\nname   a value that is long');
  });

  it('does not end a line inside a command', () => {
    const text = `To see it: ${unbroken('baton operation op-1')}, or run \`baton doctor\``;
    expect(laidOut(text, 26)).toBe('To see it:\nbaton operation op-1, or\nrun `baton doctor`');
    expect(laidOut(text, Infinity)).toBe('To see it: baton operation op-1, or run `baton doctor`');
  });

  it('has no empty lines for a block that turns out to be empty', () => {
    expect(laidOut(blocks('one', blocks(false, ''), 'two', blocks()), 20)).toBe('one\n\ntwo');
  });

  it('has the width of COLUMNS or of the terminal, and a pipe has none', () => {
    expect(widthOf({ env: { COLUMNS: '60' } }, { columns: 120 })).toBe(60);
    expect(widthOf({ env: {} }, { columns: 120 })).toBe(120);
    expect(widthOf({ env: { COLUMNS: 'wide' } }, {})).toBe(Infinity);
  });
});
