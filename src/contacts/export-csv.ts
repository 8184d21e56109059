import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { stringify } from 'csv-stringify';
import { EXPORT_COLUMNS, withoutFormulas, type ExportRow } from './export.ts';

export type RowForm = (row: ExportRow) => ExportRow;

/** Leaves a row as it is stored. */
const asStored: RowForm = (row) => row;

/** Returns the form in which an export shows rows: for spreadsheets, unless the caller wants them as they are stored. */
export function exportForm(isRaw: boolean): RowForm {
  return isRaw ? asStored : withoutFormulas;
}

/**
 * Writes rows as CSV while they are read. An error of the rows destroys the stream, and so does a reader that goes away: then
 * no more rows are read.
 */
export function toCsv(rows: AsyncIterable<ExportRow>): Readable {
  // Some readers take a carriage return for the end of a line unless its cell is quoted.
  const csv = stringify({ columns: [...EXPORT_COLUMNS], quoted_match: /[\r\n]/ });
  // The reader of the stream gets the error.
  pipeline(Readable.from(withHeader(rows)), csv).catch(() => undefined);
  return csv;
}

/** The library writes its own header line with the first row, which a database may need a moment for. */
async function* withHeader(rows: AsyncIterable<ExportRow>): AsyncGenerator<ExportRow> {
  yield Object.fromEntries(EXPORT_COLUMNS.map((column) => [column, column])) as ExportRow;
  yield* rows;
}
