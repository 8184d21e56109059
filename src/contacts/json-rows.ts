import type { ReadBytes } from './file-text.ts';
import { JSON_COLUMNS, readJsonRow } from './json-row.ts';
import { ArrayScanner, LineScanner, ROW_BYTES_MAX, type ScannedRow } from './json-scanner.ts';
import type { ContactSource, SourceRow } from './source.ts';

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
