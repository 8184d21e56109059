import { BadRow } from './cell-values.ts';
import { saysOutAnywhere } from './consent.ts';
import type { NewConversation } from './contact.ts';
import { hasPhone, hasRoundedId, type ContactReader } from './row.ts';
import { readRow, REJECTED_LISTED_MAX, type RejectedRow } from './row-import.ts';
import type { ContactSource, SourceRow } from './source.ts';
import { Refusal } from '../domain/errors.ts';

/** A smaller file is imported however many of its numbers are bad: its rows can be looked through. */
const DOUBTED_ROWS_MIN = 50;
/** With the wrong country, at least a quarter of the numbers cannot be read. The others become numbers of other people. */
const BAD_PHONES_SHARE_MAX = 0.2;
const FIRST_ROWS = 5;

/** A row as an import would store it. */
export interface UnderstoodRow {
  readonly line: number;
  readonly conversation: NewConversation;
}

/** What all rows of a source are, before anything is written. */
export interface Survey {
  readonly rows: number;
  readonly rejectedCount: number;
  /** The first {@link REJECTED_LISTED_MAX} rejected rows. */
  readonly rejected: readonly RejectedRow[];
  readonly withPhone: number;
  /** The rows whose phone number cannot be read or texted. Rows without one do not count. */
  readonly badPhones: number;
  /** The rows whose external id a spreadsheet has rounded. */
  readonly roundedIds: number;
  readonly firstRows: readonly UnderstoodRow[];
  /** The columns that nobody has decided to ignore, and whose cells say of somebody that they want no messages. */
  readonly consentColumns: readonly number[];
  /** False when a person has stopped it. */
  readonly isComplete: boolean;
}

/** Reads all rows of a source, and writes nothing. */
export async function survey(source: ContactSource, reader: ContactReader, signal?: AbortSignal): Promise<Survey> {
  const counts = { rows: 0, rejectedCount: 0, withPhone: 0, badPhones: 0, roundedIds: 0 };
  const rejected: RejectedRow[] = [];
  const firstRows: UnderstoodRow[] = [];
  const consent = new ConsentColumns(reader.mapping.undecided);
  const add = (row: SourceRow): void => {
    counts.rows += 1;
    if ('cells' in row) consent.look(row.cells);
    const isWithPhone = 'cells' in row && hasPhone(row.cells, reader.mapping);
    if (isWithPhone) counts.withPhone += 1;
    const read = readRow(row, reader);
    if (!(read instanceof BadRow)) {
      if (hasRoundedId(read)) counts.roundedIds += 1;
      if (firstRows.length < FIRST_ROWS) firstRows.push({ line: row.line, conversation: read });
      return;
    }
    counts.rejectedCount += 1;
    if (read.field === 'phone' && isWithPhone) counts.badPhones += 1;
    if (rejected.length < REJECTED_LISTED_MAX) {
      rejected.push({ line: row.line, field: read.field, reason: read.message });
    }
  };
  for await (const rows of source.rows()) {
    if (signal?.aborted) break;
    rows.forEach(add);
  }
  const isComplete = signal?.aborted !== true;
  return { ...counts, rejected, firstRows, consentColumns: consent.found, isComplete };
}

/** Finds columns about consent by their cells, where the header says something else, such as "sms_status". */
class ConsentColumns {
  readonly found: number[] = [];
  private open: readonly number[];

  constructor(columns: readonly number[]) {
    this.open = columns;
  }

  look(cells: readonly string[]): void {
    const found = this.open.filter((column) => saysOutAnywhere(cells[column] ?? ''));
    if (found.length === 0) return;
    this.found.push(...found);
    this.open = this.open.filter((column) => !found.includes(column));
  }
}

/** Returns the refusal of a source that probably has numbers of another country, or another column of numbers. */
export function doubtedPhones({ rows, withPhone, badPhones }: Survey, country: string | null): Refusal | undefined {
  if (rows < DOUBTED_ROWS_MIN || badPhones <= withPhone * BAD_PHONES_SHARE_MAX) return undefined;
  const found = `${badPhones} of ${withPhone} phone numbers cannot be read`;
  const question =
    country === null
      ? 'Numbers without a country code need a country: name it with --country, or for the campaign with `baton campaign country`'
      : `Is ${country} the country of these numbers? Name another one with --country`;
  return new Refusal('phones-doubted', {
    message: `${found}. ${question}. See --preview. To import the good rows all the same, use --accept-rejected`,
    expected: `at most ${BAD_PHONES_SHARE_MAX * 100} % of the phone numbers wrong`,
    received: found,
  });
}
