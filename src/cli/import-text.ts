import { FIELDS, type CsvFile, type ImportEnd, type ImportPreview } from '../contacts/index.ts';
import type { AssigneeNames } from './assignee-names.ts';
import { blocks, fittedTable } from './layout.ts';
import { counted, facts, plain, type Text } from './terminal.ts';

/** Bad rows shown to people; the JSON document has more. */
const REJECTED_SHOWN_MAX = 20;
const HEADER_CHARS_MAX = 60;
const IGNORED_SHOWN_MAX = 20;

/** Which columns give which field, by their headers. */
export interface ReadColumns {
  readonly columns: Readonly<Record<string, readonly string[]>>;
  readonly ignored: readonly string[];
}

export function readColumns({ columns: headers }: CsvFile, { mapping }: ImportPreview): ReadColumns {
  const named = (columns: readonly number[]): string[] => columns.map((column) => headerText(headers[column], column));
  const fields = FIELDS.flatMap((field) => {
    const columns = mapping.columns.get(field);
    return columns ? [[field, named(columns)] as const] : [];
  });
  const labelled = mapping.labelledPhones.map(({ value }) => value);
  const phones = labelled.length > 0 ? [['phone', named(labelled)] as const] : [];
  return { columns: Object.fromEntries([...fields, ...phones]), ignored: named(mapping.ignored) };
}

function headerText(header = '', column: number): string {
  const text = plain(header).trim();
  if (text === '') return `(column ${column + 1})`;
  return text.length > HEADER_CHARS_MAX ? `${text.slice(0, HEADER_CHARS_MAX)}…` : text;
}

const SEPARATOR_WORDS: Readonly<Record<string, string>> = {
  ',': 'commas',
  ';': 'semicolons',
  '\t': 'tabs',
  '|': 'bars',
};

/** How a file was understood. */
export function fileText(csv: CsvFile, preview: ImportPreview): Text {
  const { columns, ignored } = readColumns(csv, preview);
  const read = Object.entries(columns).map(([field, headers]) => [field, headers.join(', ')]);
  const listed = ignored.slice(0, IGNORED_SHOWN_MAX);
  const more = ignored.length - listed.length;
  return blocks(
    `Read as ${csv.encoding.name}, separated by ${SEPARATOR_WORDS[csv.separator] ?? csv.separator}; ` +
      `country: ${preview.country ?? 'none'}.`,
    !csv.encoding.isCertain &&
      'Nothing in the file names its encoding. If names look wrong in --preview, name the right one with --encoding.',
    fittedTable(['field', { title: 'column', isShortened: true }], read),
    ignored.length > 0 && `Ignored: ${listed.join(', ')}${more > 0 ? ` and ${more} more` : ''}.`,
    preview.survey.roundedIds > 0 &&
      `A spreadsheet has rounded the external ids of ${counted(preview.survey.roundedIds, 'row')}: different people may share one.`,
  );
}

const FIRST_ROWS = [
  'line',
  { title: 'name', isShortened: true },
  'phone',
  'status',
  { title: 'opted out', whenUsed: true },
  { title: 'assignee', isShortened: true, spare: 1 },
] as const;

/** What an import would read of a file. */
export function previewText(csv: CsvFile, preview: ImportPreview, names: AssigneeNames): Text {
  const { survey, refusal } = preview;
  const first = survey.firstRows.map(({ line, conversation }) => [
    line,
    conversation.name,
    conversation.phone,
    conversation.status,
    ...[conversation.optedOut ? 'yes' : '', names.of(conversation.assigneeId)],
  ]);
  return blocks(
    fileText(csv, preview),
    first.length > 0 && fittedTable(FIRST_ROWS, first),
    `${counted(survey.rows, 'row')}, ${survey.rejectedCount} of them bad. Nothing was imported.`,
    rejectedText(survey),
    refusal && `An import would be refused: ${refusal.message}.`,
  );
}

interface EndOptions {
  readonly rejectedFile: string | null;
  readonly name: string;
}

/** What an import has done. */
export function endText(csv: CsvFile, end: ImportEnd, { rejectedFile, name }: EndOptions): Text {
  const { preview, added, alreadyThere, optedOut, leftInPool, rejectedCount, isStopped, lastLine } = end;
  const isNothing = added + alreadyThere === 0 && rejectedCount > 0;
  return blocks(
    isStopped && stoppedText(lastLine, name),
    fileText(csv, preview),
    `Added ${counted(added, 'contact')}; ${alreadyThere} already existed; ${optedOut} opted out; ` +
      `${counted(rejectedCount, 'bad row')}.`,
    isNothing && !isStopped && 'All rows are bad. Look at the file with --preview.',
    leftInPool > 0 &&
      `${counted(leftInPool, 'contact')} stayed in the pool despite an assignee, because they opted out.`,
    rejectedText(end),
    rejectedCount > 0 && afterRejected(rejectedFile),
  );
}

function stoppedText(lastLine: number, name: string): string {
  if (lastLine === 0) return `Stopped while ${name} was checked. Nothing was imported.`;
  return (
    `Stopped after line ${lastLine} of ${name}. What was imported stays. The same command again imports the rest; it adds ` +
    'nobody twice.'
  );
}

function afterRejected(rejectedFile: string | null): string {
  if (rejectedFile !== null) return `The bad rows are in ${rejectedFile}. Correct them and import that file.`;
  return 'To get the bad rows as a file to correct, repeat the command with --rejected FILE. It adds nobody twice.';
}

type Rejected = Pick<ImportEnd, 'rejected' | 'rejectedCount'>;

function rejectedText({ rejected, rejectedCount }: Rejected): Text {
  const listed = rejected.slice(0, REJECTED_SHOWN_MAX);
  const more = rejectedCount - listed.length;
  const rows = listed.map(({ line, reason }) => [`line ${line}`, reason] as const);
  return blocks(
    rows.length > 0 && facts(rows),
    more > 0 && `… and ${more} more; --json lists the first ${rejected.length}.`,
  );
}
