import { stringify } from 'csv-stringify/sync';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SourceRow } from '../../src/contacts/source.ts';
import { csvRecords, CsvScanner } from '../../src/contacts/csv-reader.ts';

function scan(...texts: string[]): SourceRow[] {
  const scanner = new CsvScanner();
  return [...texts.flatMap((text) => scanner.push(text)), ...scanner.end()];
}

/** The text, cut into pieces at random places. */
const pieces = (text: string) =>
  fc.array(fc.nat({ max: text.length }), { maxLength: 6 }).map((cuts) => {
    const places = [0, ...cuts.sort((a, b) => a - b), text.length];
    return places.slice(1).map((place, index) => text.slice(places[index], place));
  });

describe('the CSV reader', () => {
  const cell = fc.string({ unit: fc.constantFrom('a', 'é', ' ', ',', '"', '\n', ';', '1', '😀'), maxLength: 8 });
  const wide = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { maxLength: 8 });

  it('reads what a CSV library wrote, however the text is cut into pieces', () => {
    fc.assert(
      fc.property(wide, fc.constantFrom('\n', '\r\n'), fc.boolean(), fc.gen(), (rows, newline, mark, gen) => {
        const text = (mark ? '\ufeff' : '') + stringify(rows, { record_delimiter: newline, quoted_match: /[\r\n]/ });
        const cells = scan(...gen(pieces, text)).map((record) => ('cells' in record ? record.cells : record.problem));
        expect(cells).toEqual(rows.filter((row) => row.some((each) => each.trim() !== '')));
      }),
    );
  });

  it('reports the line on which each record starts and counts blank lines and line ends within quotes', () => {
    const text = 'name,phone\n\n"A\nB",1\r\n  \nC,"2"\rD,3';
    expect(scan(text).map(({ line }) => line)).toEqual([1, 3, 6, 7]);
    const oneByOne = scan(...text);
    expect(oneByOne).toEqual(scan(text));
  });

  it('keeps a quote within a cell that does not start with one', () => {
    expect(scan('Dwayne "The Rock" Johnson,1\n')).toEqual([{ line: 1, cells: ['Dwayne "The Rock" Johnson', '1'] }]);
  });

  it('skips only the line with a quote that is never closed', () => {
    const records = scan('a,1\n"b,2\nc,3\n"d",4\ne,5\n');
    expect(records).toEqual([
      { line: 1, cells: ['a', '1'] },
      { line: 2, problem: expect.stringContaining('text after its closing quote') as string, text: '"b,2' },
      { line: 3, cells: ['c', '3'] },
      { line: 4, cells: ['d', '4'] },
      { line: 5, cells: ['e', '5'] },
    ]);
    expect(scan('a,1\n"b,2\nc,3\n')).toEqual([
      { line: 1, cells: ['a', '1'] },
      { line: 2, problem: 'a quote is opened and never closed', text: '"b,2' },
      { line: 3, cells: ['c', '3'] },
    ]);
  });

  it('limits how much text an open quote keeps in memory', () => {
    const scanner = new CsvScanner();
    const rows = Array.from({ length: 10_000 }, (_, index) => `name ${index},5550${index}\n`);
    const read = ['"open,1\n', ...rows].flatMap((row) => scanner.push(row));
    expect(read.length).toBeGreaterThan(5_000);
    expect([...read, ...scanner.end()].filter((record) => 'cells' in record)).toHaveLength(10_000);
  });

  it('reads a stream of text', async () => {
    const stream = (async function* () {
      yield await Promise.resolve('a,');
      yield '1\n';
    })();
    const found = [];
    for await (const records of csvRecords(stream)) found.push(...records);
    expect(found).toEqual([{ line: 1, cells: ['a', '1'] }]);
  });
});
