import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TexterWords } from '../../src/campaigns/texter-words.ts';
import { BadRow, phoneReader } from '../../src/contacts/cell-values.ts';
import type { NewConversation } from '../../src/contacts/contact.ts';
import { openCsv, type CsvChoices } from '../../src/contacts/csv-file.ts';
import { mapColumns } from '../../src/contacts/mapping.ts';
import { ContactReader } from '../../src/contacts/row.ts';
import { readRow } from '../../src/contacts/row-import.ts';

interface ExpectedRow {
  /** The field that is wrong; `null` for the row as a whole. */
  readonly rejected?: string | null;
  readonly createdAt?: string;
}

interface ExpectedFile {
  readonly country: string;
  readonly encoding: string;
  readonly separator: string;
  readonly texters?: readonly string[];
  readonly refused?: string;
  readonly rows?: Readonly<Record<string, ExpectedRow>>;
}

const folder = new URL('files/', import.meta.url);
const EXPECTED = JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8')) as Record<string, ExpectedFile>;

const SMALL_BYTES = 10_000;

/** Yields the bytes in small pieces, so that characters and line ends are cut. */
function reading(bytes: Uint8Array) {
  const pieceBytes = bytes.length < SMALL_BYTES ? 7 : 4_096;
  return async function* (): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += pieceBytes)
      yield await Promise.resolve(bytes.subarray(at, at + pieceBytes));
  };
}

const textBytes = (text: string): Uint8Array => Buffer.from(text);

async function read(
  bytes: Uint8Array,
  country: string | null,
  choices: CsvChoices = {},
  texters: readonly string[] = [],
) {
  const csv = await openCsv(reading(bytes), choices);
  const reader = new ContactReader(csv.columns.length, mapColumns(csv.columns, choices), {
    texters: new TexterWords(
      texters.map((name, index) => ({ texterId: `t${index + 1}`, name, active: true, joinedOrder: index + 1 })),
    ),
    readPhone: await phoneReader(country),
    at: new Date(0),
    keepsAssignees: false,
  });
  const rows = new Map<number, NewConversation | BadRow>();
  for await (const some of csv.rows()) for (const row of some) rows.set(row.line, readRow(row, reader));
  return { csv, mapping: reader.mapping, rows };
}

function shownRow(row: NewConversation | BadRow): object {
  if (row instanceof BadRow) return { rejected: row.field };
  return { ...row, createdAt: row.createdAt.toISOString() };
}

describe('contact files in the shapes that people have', () => {
  const files = Object.entries(EXPECTED);

  it.each(files.filter(([, { refused }]) => refused === undefined))('reads every row of %s', async (name, expected) => {
    const bytes = readFileSync(new URL(name, folder));
    const { csv, rows } = await read(bytes, expected.country, {}, expected.texters);
    expect(csv.encoding.name).toBe(expected.encoding);
    expect(csv.separator).toBe(expected.separator);
    const found = [...rows].map(([line, row]) => [String(line), shownRow(row)] as const);
    expect(Object.fromEntries(found)).toMatchObject(expected.rows ?? {});
    expect(found.map(([line]) => line)).toEqual(Object.keys(expected.rows ?? {}));
  });

  it.each(files.filter(([, { refused }]) => refused !== undefined))(
    'refuses %s and repeats no cell of it',
    async (name, { country, refused = '' }) => {
      const bytes = readFileSync(new URL(name, folder));
      const refusal: unknown = await read(bytes, country).catch((error: unknown) => error);
      expect(refusal).toMatchObject({ code: 'bad-request', message: expect.stringContaining(refused) as string });
      expect(JSON.stringify(refusal) + (refusal as Error).message).not.toMatch(/20255|Jane|Hill|example/);
    },
  );

  it('loses no row after one with NUL bytes, a huge cell, or characters that are not for names', async () => {
    const cells = [
      'Nul\0Name',
      'Ann',
      'Long',
      'N'.repeat(305),
      'Tab\tName',
      'Right \u202eleft',
      "=cmd|'/c calc'!A0",
      'Zero\u200bWidth',
    ];
    const lines = cells.map(
      (name, index) => `"${name}",202555013${index},${name === 'Long' ? 'x'.repeat(70_000) : 'a'}`,
    );
    const text = ['name,phone,note', ...lines, 'After,2025550140,z'].join('\n');
    const { rows } = await read(textBytes(text.replace('2025550131', '202555\x000131')), 'US');
    const names = [...rows.values()].map((row) => (row instanceof BadRow ? row.field : row.name));
    expect(names).toEqual(['name', 'phone', null, 'name', 'Tab Name', 'name', cells[6], 'ZeroWidth', 'After']);
  });
});

describe('the encoding of a file', () => {
  const names = async (bytes: Uint8Array, choices: CsvChoices = {}) => {
    const { csv, rows } = await read(bytes, 'US', choices);
    return [
      csv.encoding.name,
      csv.encoding.isCertain,
      ...[...rows.values()].map((row) => ('name' in row ? row.name : '')),
    ];
  };
  const file = (name: string): string => `name,phone\n${name},2025550101\n`;

  it('is UTF-16 also without a byte-order mark', async () => {
    expect(await names(Buffer.from(file('Ana'), 'utf16le'))).toEqual(['utf-16le', true, 'Ana']);
    const swapped = Buffer.from(file('Ana'), 'utf16le').swap16();
    expect(await names(swapped)).toEqual(['utf-16be', true, 'Ana']);
  });

  it('is Windows-1252 with its quotes, dashes and letters, which some versions of Node read as control characters', async () => {
    const special = [0x93, 0x45, 0x94, 0x20, 0x96, 0x20, 0x8e, 0x20, 0x92, 0x80];
    const bytes = Buffer.concat([textBytes('name,phone\n'), Buffer.from(special), textBytes(',2025550101\n')]);
    expect(await names(bytes)).toEqual(['windows-1252', false, '“E” – Ž ’€']);
  });

  it('stays UTF-8 when one character of many is broken, and only its row is rejected', async () => {
    const good = ['José', 'Zoë', 'Änne'].map((name, index) => `${name},202555010${index}\n`).join('');
    const bytes = Buffer.concat([
      textBytes(`name,phone\n${good}`),
      Buffer.from([0x4c, 0xe9]),
      textBytes(',2025550109\n'),
    ]);
    const { csv, rows } = await read(bytes, 'US');
    expect(csv.encoding).toEqual({ name: 'utf-8', isCertain: false });
    expect([...rows.values()].map((row) => (row instanceof BadRow ? row.message : row.name))).toEqual([
      ...['José', 'Zoë', 'Änne'],
      'the name has bytes that are no text',
    ]);
  });

  it('can be named, and an unknown name is refused', async () => {
    const bytes = Buffer.concat([textBytes('name,phone\n'), Buffer.from([0xcf, 0xf0]), textBytes(',2025550101\n')]);
    expect(await names(bytes, { encoding: 'windows-1251' })).toEqual(['windows-1251', true, 'Пр']);
    await expect(names(bytes, { encoding: 'latin-99' })).rejects.toMatchObject({ code: 'bad-request' });
  });
});

describe('a file that is not CSV', () => {
  it.each([
    ['an Excel workbook', Buffer.from('PK\x03\x04 …'), /workbook .* save it as CSV: in Excel/],
    ['an old Excel workbook', Buffer.from([0xd0, 0xcf, 0x11, 0xe0, 1, 2]), /Excel workbook/],
    ['a web page', textBytes('\ufeff <html><table>'), /web page/],
    ['vCards', textBytes('BEGIN:VCARD\nFN:Ana Sol'), /vCards/],
    ['nothing', textBytes(''), /no content/],
  ])('is recognised, and the refusal says what to do: %s', async (_what, bytes, message) => {
    await expect(read(bytes, 'US')).rejects.toMatchObject({
      code: 'bad-request',
      message: expect.stringMatching(message) as string,
    });
  });
});

describe('the separator and the header line', () => {
  it.each([
    ['tabs', 'Name\tPhone\nAna, Sol\t2025550101\n', '\t'],
    ['semicolons', 'note;name;phone\n1,5;"Ana, Sol";2025550101\n', ';'],
    ['bars', 'name|phone\nAna, Sol|2025550101\n', '|'],
    ['what the file tells Excel', 'sep=;\r\nname;phone\r\nAna, Sol;2025550101\r\n', ';'],
    ['what the file tells Excel in quotes', '"sep=|"\nname|phone\nAna, Sol|2025550101\n', '|'],
    ['what the file tells Excel, with empty cells', 'sep=;;\nname;phone;\nAna, Sol;2025550101;\n', ';'],
  ])('are found: %s', async (_what, text, separator) => {
    const { csv, rows } = await read(textBytes(text), 'US');
    expect(csv.separator).toBe(separator);
    expect([...rows.values()]).toMatchObject([{ name: 'Ana, Sol', phone: '+12025550101' }]);
  });

  it('are found for columns that a person names', async () => {
    const choices = {
      map: [
        { field: 'name', column: 'Wer' },
        { field: 'phone', column: '2' },
      ],
    } as const;
    const { csv, rows } = await read(textBytes('Wer;Wohin;Was\nAna;2025550101;x\n'), 'US', choices);
    expect([csv.separator, ...rows.values()]).toMatchObject([';', { name: 'Ana', phone: '+12025550101' }]);
  });

  it('may come after the title of a table', async () => {
    const { csv, rows } = await read(textBytes('Table 1\nFirst Name,Cell\nAna,2025550101\n'), 'US');
    expect(csv.headerLine).toBe(2);
    expect([...rows]).toMatchObject([[3, { name: 'Ana' }]]);
  });

  it('are not taken from data, also when a person names columns by number', async () => {
    const choices = {
      map: [
        { field: 'name', column: '1' },
        { field: 'phone', column: '2' },
      ],
    } as const;
    const refused = read(textBytes('Ana,2025550101\nBob,2025550102\n'), 'US', choices);
    await expect(refused).rejects.toMatchObject({ message: expect.stringContaining('is data of a contact') as string });
  });
});
