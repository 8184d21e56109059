import { CsvScanner, csvRecords } from './csv-reader.ts';
import { refuseOtherKinds } from './file-kinds.ts';
import { encodingOf, namedEncoding, textIn, type FileEncoding, type ReadBytes } from './file-text.ts';
import { knownColumns, missingFields, type MappingChoices } from './mapping.ts';
import { badFile, dataAsHeader, emptyFile, noHeader } from './mapping-refusals.ts';
import type { ContactSource, SourceRow } from './source.ts';
import { Refusal } from '../domain/errors.ts';
import { shown } from '../domain/visible-text.ts';

export interface CsvChoices extends MappingChoices {
  readonly encoding?: string | undefined;
  readonly separator?: string | undefined;
}

/** A CSV file whose encoding, separator and header line are known. */
export interface CsvFile extends ContactSource {
  readonly encoding: FileEncoding;
  readonly separator: string;
  readonly headerLine: number;
}

/** How much of a file decides about its separator and its header line. */
const START_BYTES = 64 * 1024;
const SEPARATORS = [',', ';', '\t', '|'] as const;
/** A title, or the name of a table, may come before the header line. */
const HEADER_RECORDS_MAX = 10;
/** The first line with which a file tells Excel its separator. Excel adds separators for empty cells when it saves the file. */
const SEPARATOR_LINE = /^\ufeff?("?)sep=(?<separator>.?)\1\k<separator>*\s*(?:\r\n?|\n|$)/i;

/** Finds out how a file is written, and where its header line is. Throws a refusal if it cannot be an import. */
export async function openCsv(read: ReadBytes, choices: CsvChoices = {}): Promise<CsvFile> {
  const start = await startOf(read);
  if (start.length === 0) throw emptyFile('no content');
  refuseOtherKinds(start);
  const { encoding: wanted } = choices;
  const encoding = wanted === undefined ? await encodingOf(read, start) : namedEncoding(wanted);
  const text = await firstText(read, encoding);
  const separator = separatorOf(text, choices);
  const { line: headerLine, cells: columns } = headerOf(firstRecords(text, separator), choices);
  const rows = async function* (): AsyncGenerator<SourceRow[]> {
    for await (const records of csvRecords(textIn(read, encoding), separator)) {
      yield records.filter(({ line }) => line > headerLine);
    }
  };
  return { columns, rows, encoding, separator, headerLine };
}

async function startOf(read: ReadBytes): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of read()) {
    pieces.push(piece);
    length += piece.length;
    if (length >= START_BYTES) break;
  }
  return Buffer.concat(pieces).subarray(0, START_BYTES);
}

async function firstText(read: ReadBytes, encoding: FileEncoding): Promise<string> {
  let text = '';
  for await (const piece of textIn(read, encoding)) {
    text += piece;
    if (text.length >= START_BYTES) break;
  }
  return text.slice(0, START_BYTES);
}

/** The separator that makes the most known columns of a line, or else the most columns. */
function separatorOf(text: string, { separator }: CsvChoices): string {
  if (separator !== undefined) return checkedSeparator(separator);
  const said = SEPARATOR_LINE.exec(text)?.groups?.['separator'] ?? '';
  if (said !== '' && said !== '"') return said;
  const candidates = SEPARATORS.map((each) => {
    const headers = firstRecords(text, each).flatMap((record) => ('cells' in record ? [record.cells] : []));
    const known = Math.max(0, ...headers.map(knownColumns));
    return { separator: each, known, columns: headers[0]?.length ?? 0 };
  });
  const [best] = candidates.toSorted((a, b) => b.known - a.known || b.columns - a.columns);
  return best?.separator ?? ',';
}

const NAMED_SEPARATORS: Readonly<Record<string, string>> = { tab: '\t', comma: ',', semicolon: ';', '\\t': '\t' };

function checkedSeparator(typed: string): string {
  const separator = NAMED_SEPARATORS[typed.toLowerCase()] ?? typed;
  if (separator.length === 1 && !/["\r\n]/.test(separator)) return separator;
  throw badFile(`--separator must be one character, or tab`, 'one character, or tab', shown(typed));
}

function firstRecords(text: string, separator: string): SourceRow[] {
  const scanner = new CsvScanner(separator);
  const records = scanner.push(text);
  const all = records.length > HEADER_RECORDS_MAX ? records : [...records, ...scanner.end()];
  const contentLine = SEPARATOR_LINE.test(text) ? 2 : 1;
  return all.filter(({ line }) => line >= contentLine).slice(0, HEADER_RECORDS_MAX);
}

interface Header {
  readonly line: number;
  readonly cells: readonly string[];
}

/** The header line is the first one that has what an import needs. */
function headerOf(records: readonly SourceRow[], choices: MappingChoices): Header {
  const lines = records.flatMap((record) => ('cells' in record ? [record] : []));
  const [first] = lines;
  if (!first) throw emptyFile('no line that can be read');
  const header = lines.find((line) => isHeader(line, choices));
  if (header) {
    if (header.cells.some(isData)) throw dataAsHeader();
    return header;
  }
  const missing = missingFields(first.cells, choices);
  throw first.cells.some(isData) ? dataAsHeader() : noHeader(missing, first.cells);
}

/** A line before the header line does not have the columns that a person has named. */
function isHeader({ cells }: Header, choices: MappingChoices): boolean {
  try {
    return missingFields(cells, choices).length === 0;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

const EMAIL = /^\S+@\S+\.\S+$/;
const DIGITS = /^\+?[\d\s().-]+$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const PHONE_DIGITS_MIN = 7;

/** No header is a phone number or an address. */
function isData(cell: string): boolean {
  const text = cell.trim();
  const isNumber = DIGITS.test(text) && text.replace(/\D/g, '').length >= PHONE_DIGITS_MIN;
  return EMAIL.test(text) || (isNumber && !DATE.test(text));
}
