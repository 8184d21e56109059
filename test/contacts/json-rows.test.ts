import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonSource, type JsonForm, readJsonRow } from '../../src/contacts/json-rows.ts';
import { ROW_BYTES_MAX } from '../../src/contacts/json-scanner.ts';
import type { SourceRow } from '../../src/contacts/source.ts';

/** Reads a body that arrives in pieces which end at these places. */
async function read(form: JsonForm, body: Uint8Array, ends: readonly number[] = []): Promise<SourceRow[]> {
  const places = [0, ...[...ends].sort((a, b) => a - b), body.length];
  const pieces = places.slice(1).map((end, at) => body.subarray(places[at], end));
  const source = jsonSource(async function* () {
    for (const piece of pieces) yield await Promise.resolve(piece);
  }, form);
  const rows: SourceRow[] = [];
  for await (const some of source.rows()) rows.push(...some);
  return rows;
}

const text = fc.string({ unit: fc.constantFrom('a', '"', '\\', '[', ']', '{', '}', ',', '\n', 'é', '😀', "'", '=') });
const row = fc.record(
  { name: text, phone: text, externalId: fc.option(text), optedOut: fc.boolean() },
  { requiredKeys: ['name', 'phone'] },
);
const blank = fc.constantFrom('', ' ', '\r\n', '\t');
const spaced = fc.array(fc.tuple(row, blank, blank), { maxLength: 12 });
const cut = fc.array(fc.nat({ max: 400 }), { maxLength: 6 });

describe('rows that programs send', () => {
  it('are the same as NDJSON, as a JSON array and one by one, wherever the pieces of the body end', async () => {
    await fc.assert(
      fc.asyncProperty(spaced, cut, async (rows, cuts) => {
        const lines = Buffer.from(rows.map(([each]) => `${JSON.stringify(each)}\n`).join(''));
        const array = Buffer.from(
          `\ufeff[${rows.map(([each, before, after]) => before + JSON.stringify(each) + after).join()}] `,
        );
        const expected = rows.map(([each], at) => ({ line: at + 1, ...readJsonRow(JSON.stringify(each)) }));
        for (const [form, body] of [['lines', lines] as const, ['array', array] as const]) {
          const ends = cuts.filter((end) => end <= body.length);
          expect(await read(form, body, ends)).toEqual(expected);
        }
      }),
    );
  });

  it('have an error each when they are too long, no JSON or no UTF-8, and the rows after them are read', async () => {
    const good = JSON.stringify({ name: 'A', phone: '1' });
    const rows = [`"${'x'.repeat(ROW_BYTES_MAX)}"`, '{"name":}', '\xff', good].map((each) =>
      Buffer.from(each, 'latin1'),
    );
    const joined = (separator: string) => Buffer.concat(rows.flatMap((each) => [each, Buffer.from(separator)]));
    const array = Buffer.concat([Buffer.from('['), joined(',').subarray(0, -1), Buffer.from(']')]);
    for (const [form, body] of [['lines', joined('\n')] as const, ['array', array] as const]) {
      expect(await read(form, body)).toMatchObject([
        { line: 1, problem: `the row is longer than ${ROW_BYTES_MAX} bytes` },
        { line: 2, problem: 'the row is not JSON' },
        { line: 3, problem: 'the row is not UTF-8' },
        { line: 4, cells: expect.any(Array) as unknown },
      ]);
    }
  });

  it('keep an opt-out that can be read when another field is wrong', () => {
    const read = readJsonRow(JSON.stringify({ name: 5, phone: '+12025550101', optedOut: true }));
    expect(read).toMatchObject({
      problem: 'name must be text',
      known: expect.arrayContaining(['+12025550101', 'true']) as unknown,
    });
  });
});
