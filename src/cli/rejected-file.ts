import { createWriteStream } from 'node:fs';
import { access, rename, rm } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { once } from 'node:events';
import { stringify, type Stringifier } from 'csv-stringify';
import { headerKey, REPORT_COLUMNS, type SourceRow, withGuard } from '../contacts/index.ts';
import { isSystemError, misused, unusableFile } from './errors.ts';

/** The file has names and phone numbers. */
const OWNER_ONLY = 0o600;
/** Neither can be a formula: a plain number, and a text that a spreadsheet must not change. */
const HARMLESS = /^(?:\+?\d+|="[^"]*")$/;

/** Tells which kind of CSV the rows come from. */
export interface RejectedColumns {
  readonly columns: readonly string[];
  readonly separator: string;
}

/**
 * A file of rejected rows, in the columns of their source and with the reason of each. It can be corrected in a spreadsheet and
 * imported again.
 */
export class RejectedFile {
  count = 0;
  private readonly file: string;
  private readonly temporary: string;
  private readonly kept: readonly number[];
  private readonly csv: Stringifier;
  private readonly written: Promise<void>;

  private constructor(file: string, { columns, separator }: RejectedColumns) {
    this.file = file;
    this.temporary = `${file}.${process.pid}.part`;
    this.kept = columns.flatMap((column, index) => (isReport(column) ? [] : [index]));
    const headers = [...this.kept.map((index) => withGuard(columns[index] ?? '')), ...REPORT_COLUMNS];
    // Excel reads UTF-8 only with a byte-order mark.
    this.csv = stringify({ delimiter: separator, bom: true, quoted_match: /[\r\n]/ });
    const to = createWriteStream(this.temporary, { mode: OWNER_ONLY, flags: 'wx' });
    this.written = finished(this.csv.pipe(to));
    to.once('error', (error) => this.csv.destroy(error));
    this.written.catch(() => undefined);
    this.csv.write(headers);
  }

  /** Throws a `bad-request` refusal for a file that exists: it may have corrections. */
  static async create(file: string, columns: RejectedColumns): Promise<RejectedFile> {
    const exists = await access(file).then(
      () => true,
      () => false,
    );
    if (!exists) return new RejectedFile(file, columns);
    const values = { expected: 'a file that does not exist', received: file };
    throw misused(`${file} exists already and may have corrections; name another file for the rejected rows`, values);
  }

  readonly add = async (row: SourceRow, reason: string): Promise<void> => {
    this.count += 1;
    const cells = 'cells' in row ? row.cells : this.kept.map((_, place) => (place === 0 ? (row.text ?? '') : ''));
    const places = 'cells' in row ? this.kept : this.kept.map((_, place) => place);
    const record = [...places.map((index) => guarded(cells[index] ?? '')), String(row.line), reason];
    if (!this.csv.write(record)) await Promise.race([once(this.csv, 'drain'), this.written]);
  };

  /** Gives the file its name, or removes it when it has no rows. Returns the name. */
  async finish(): Promise<string | null> {
    try {
      this.csv.end();
      await this.written;
      if (this.count === 0) return null;
      await rename(this.temporary, this.file);
      return this.file;
    } catch (error) {
      throw isSystemError(error) ? unusableFile(this.file, 'written', error.code) : error;
    } finally {
      await rm(this.temporary, { force: true });
    }
  }
}

function isReport(column: string): boolean {
  return REPORT_COLUMNS.some((report) => headerKey(report) === headerKey(column));
}

function guarded(cell: string): string {
  return HARMLESS.test(cell) ? cell : withGuard(cell);
}
