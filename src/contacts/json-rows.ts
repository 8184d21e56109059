import { z } from 'zod';
import { EXTERNAL_ID_CHARS_MAX } from './contact.ts';
import type { Field } from './fields.ts';
import { withGuard, withIdGuard } from './formulas.ts';
import { STATUSES } from '../domain/conversation.ts';
import { NAME_CHARS_MAX, texterId } from '../domain/ids.ts';
import { ruleOf } from '../domain/requests.ts';
import { BIDI_CONTROL } from '../domain/visible-text.ts';
import type { ReadBytes } from './file-text.ts';
import { ArrayScanner, LineScanner, ROW_BYTES_MAX, type ScannedRow } from './json-scanner.ts';
import type { ContactSource, SourceRow } from './source.ts';

const MOMENT = 'An ISO 8601 date and time, such as 2020-09-01T10:00:00Z.';
const moment = (description: string) => z.string().max(40).nullish().describe(`${description} ${MOMENT}`);

/** A contact as a program sends it. Each field is one column of a source. */
export const contactRow = z
  .strictObject({
    externalId: z.string().max(EXTERNAL_ID_CHARS_MAX).nullish().describe('The id of the contact in your system.'),
    name: z.string().max(NAME_CHARS_MAX).describe('The whole name.'),
    phone: z
      .string()
      .max(100)
      .describe(
        'It identifies the contact within the campaign. A number without a country code is one of the country of the campaign.',
      ),
    status: z.enum(STATUSES).nullish().describe('Default: not-started.'),
    assigneeId: texterId.nullish().describe('The id of a texter of the campaign. Default: the pool.'),
    optedOut: z.boolean().nullish().describe('An opt-out always holds, and no import lifts it. Default: false.'),
    createdAt: moment('Default: now.'),
    waitingSince: moment('Default: it follows from the status and the other moments.'),
    lastInboundAt: moment('When the contact last wrote.'),
    lastOutboundAt: moment('When a texter last wrote.'),
    assignedAt: moment('Since when the assignee has the conversation. Default: now.'),
  })
  .meta({ id: 'ContactRow' });

type ContactRow = z.output<typeof contactRow>;

/** The columns of rows that programs send, in the order of their cells. */
const COLUMNS: readonly (readonly [Field, keyof ContactRow])[] = [
  ['external_id', 'externalId'],
  ['name', 'name'],
  ['phone', 'phone'],
  ['status', 'status'],
  ['assignee_id', 'assigneeId'],
  ['opted_out', 'optedOut'],
  ['created_at', 'createdAt'],
  ['waiting_since', 'waitingSince'],
  ['last_inbound_at', 'lastInboundAt'],
  ['last_outbound_at', 'lastOutboundAt'],
  ['assigned_at', 'assignedAt'],
];

export const JSON_COLUMNS: readonly Field[] = COLUMNS.map(([field]) => field);

/** A problem with an assignee names the field of texts that people write. */
const KEY_OF_FIELD: ReadonlyMap<string, string> = new Map([...COLUMNS, ['assignee', 'assigneeId']]);

/** Returns the name of a field as it is in rows that programs send. */
export function jsonKeyOf(field: string): string {
  return KEY_OF_FIELD.get(field) ?? field;
}

/** A row as its cells; or what is wrong with it, and the cells that can be read. */
export type ReadRow =
  { readonly cells: readonly string[] } | { readonly problem: string; readonly known?: readonly string[] };

/** Reads a row. The problem never repeats a value, which could be a name or a phone number. */
export function readJsonRow(text: string): ReadRow {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: 'the row is not JSON' };
  }
  const parsed = contactRow.safeParse(value, { error: ruleOf });
  if (parsed.success) return { cells: COLUMNS.map(([, key]) => cellOf(key, parsed.data[key])) };
  const [issue] = parsed.error.issues;
  const field = issue?.path[0];
  const problem = `${field === undefined ? 'the row' : String(field)} ${issue?.message ?? 'must be valid'}`;
  return { problem, known: COLUMNS.map(([, key]) => cellOf(key, plainValue(value, key))) };
}

function plainValue(row: unknown, key: string): string | boolean | null {
  const isRow = typeof row === 'object' && row !== null && Object.hasOwn(row, key);
  const value: unknown = isRow ? (row as Record<string, unknown>)[key] : null;
  return typeof value === 'string' || typeof value === 'boolean' ? value : null;
}

/** A program sends texts as they are. With the guard, the import does not take an apostrophe off that belongs to a text. */
function cellOf(key: keyof ContactRow, value: string | boolean | null | undefined): string {
  const text = String(value ?? '');
  // The guard would leave such characters out, and the import refuses them.
  if (BIDI_CONTROL.test(text)) return text;
  if (key === 'externalId') return withIdGuard(text);
  return key === 'name' ? withGuard(text) : text;
}

/** How the rows stand one after the other: NDJSON, or one JSON array. */
export type JsonForm = 'lines' | 'array';

/** Rows that a program sends as JSON. They are read anew from `read` each time. */
export function jsonSource(read: ReadBytes, form: JsonForm): ContactSource {
  const rows = async function* (): AsyncGenerator<SourceRow[]> {
    const scanner = form === 'lines' ? new LineScanner() : new ArrayScanner();
    for await (const piece of read()) yield scanner.push(piece).map(toRow);
    yield scanner.end().map(toRow);
  };
  return { columns: JSON_COLUMNS, rows };
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function toRow({ line, bytes }: ScannedRow): SourceRow {
  if (bytes === undefined) return { line, problem: `the row is longer than ${ROW_BYTES_MAX} bytes` };
  try {
    return { line, ...readJsonRow(decoder.decode(bytes)) };
  } catch {
    return { line, problem: 'the row is not UTF-8' };
  }
}
