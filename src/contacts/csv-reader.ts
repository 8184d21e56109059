import type { SourceRow } from './source.ts';

/** The longest record. An open quote in a longer one is taken for a mistake. */
const RECORD_CHARS_MAX = 64 * 1024;
/** How much of a record that cannot be read is kept, so that a person can correct it. */
const BAD_TEXT_CHARS_MAX = 2_000;

const QUOTE = '"';

/**
 * Reads CSV (RFC 4180) while it arrives and yields the records of each piece of text. Accepts a byte-order mark and every
 * kind of line end (LF, CRLF, CR). Lines without any text are left out, also if they have separators.
 *
 * CSV libraries read good files as well, but not bad ones: here a quote that is never closed spoils only its own line, and
 * the line numbers after it are still right. A record that cannot be read is reported, and reading continues on the next
 * line.
 */
export async function* csvRecords(text: AsyncIterable<string>, separator = ','): AsyncGenerator<SourceRow[]> {
  const scanner = new CsvScanner(separator);
  for await (const piece of text) yield scanner.push(piece);
  yield scanner.end();
}

type Scanned =
  | { readonly kind: 'record'; readonly cells: string[]; readonly end: number }
  | { readonly kind: 'bad'; readonly problem: string }
  | { readonly kind: 'unfinished' };

export class CsvScanner {
  private readonly separator: string;
  private text = '';
  private line = 1;
  private isFirst = true;
  /** The last piece ended in CR. If the next one starts with LF, both are the same line end. */
  private endedInCr = false;
  /** The rest of the line belongs to a record that could not be read. */
  private skipsLine = false;

  constructor(separator = ',') {
    this.separator = separator;
  }

  push(text: string): SourceRow[] {
    let piece = this.endedInCr ? `\r${text}` : text;
    if (this.isFirst && piece.startsWith('\ufeff')) piece = piece.slice(1);
    this.isFirst &&= text === '';
    this.endedInCr = piece.endsWith('\r');
    if (this.endedInCr) piece = piece.slice(0, -1);
    this.text += piece.includes('\r') ? piece.replace(/\r\n?/g, '\n') : piece;
    return this.scanAll(false);
  }

  end(): SourceRow[] {
    if (this.endedInCr) this.text += '\n';
    return this.scanAll(true);
  }

  private scanAll(atEnd: boolean): SourceRow[] {
    const records: SourceRow[] = [];
    let at = 0;
    while (at < this.text.length) {
      if (this.skipsLine) {
        at = this.skipLine(at);
        continue;
      }
      const scanned = scanRecord(this.text, at, this.separator, atEnd);
      if (scanned.kind === 'unfinished') break;
      if (scanned.kind === 'bad') {
        records.push({ line: this.line, problem: scanned.problem, text: lineAt(this.text, at) });
        this.skipsLine = true;
        continue;
      }
      if (!isBlank(scanned.cells)) records.push({ line: this.line, cells: scanned.cells });
      this.line += linesIn(this.text, at, scanned.end);
      at = scanned.end;
    }
    this.text = this.text.slice(at);
    return records;
  }

  private skipLine(at: number): number {
    const newline = this.text.indexOf('\n', at);
    if (newline === -1) return this.text.length;
    this.skipsLine = false;
    this.line += 1;
    return newline + 1;
  }
}

function scanRecord(text: string, start: number, separator: string, atEnd: boolean): Scanned {
  const cells: string[] = [];
  let at = start;
  for (;;) {
    const cell = scanCell(text, at, separator);
    const isCutOff = cell === undefined || (cell.end >= text.length && !atEnd);
    if (isCutOff) return unfinished(text.length - start, cell === undefined && atEnd);
    const next = text[cell.end];
    if (next !== separator && next !== '\n' && next !== undefined) {
      return { kind: 'bad', problem: `cell ${cells.length + 1} has text after its closing quote` };
    }
    cells.push(cell.value);
    at = cell.end + 1;
    if (next !== separator) return { kind: 'record', cells, end: Math.min(at, text.length) };
  }
}

function unfinished(chars: number, isQuoteOpen: boolean): Scanned {
  if (isQuoteOpen) return { kind: 'bad', problem: 'a quote is opened and never closed' };
  if (chars <= RECORD_CHARS_MAX) return { kind: 'unfinished' };
  return {
    kind: 'bad',
    problem: `the row has more than ${RECORD_CHARS_MAX} characters; perhaps a quote is never closed`,
  };
}

interface Cell {
  readonly value: string;
  /** The index after the cell. */
  readonly end: number;
}

/** A quote after blanks opens a cell if blanks alone follow its end. Otherwise it is a quote in a plain cell. */
function scanCell(text: string, at: number, separator: string): Cell | undefined {
  if (text[at] === QUOTE) return scanQuoted(text, at);
  const plain = scanPlain(text, at, separator);
  if (!plain.value.startsWith(' ') || !plain.value.trimStart().startsWith(QUOTE)) return plain;
  const quoted = scanQuoted(text, text.indexOf(QUOTE, at));
  if (!quoted) return undefined;
  const next = text[quoted.end];
  return next === separator || next === '\n' || next === undefined ? quoted : plain;
}

function scanPlain(text: string, at: number, separator: string): Cell {
  let end = at;
  while (end < text.length && text[end] !== separator && text[end] !== '\n') end += 1;
  return { value: text.slice(at, end), end };
}

/** Returns `undefined` when the text has no closing quote yet. Blanks after the closing quote belong to the cell. */
function scanQuoted(text: string, at: number): Cell | undefined {
  let close = text.indexOf(QUOTE, at + 1);
  while (close !== -1 && text[close + 1] === QUOTE) close = text.indexOf(QUOTE, close + 2);
  if (close === -1) return undefined;
  let end = close + 1;
  while (text[end] === ' ') end += 1;
  return { value: text.slice(at + 1, close).replaceAll('""', QUOTE), end };
}

function isBlank(cells: readonly string[]): boolean {
  return cells.every((cell) => cell.trim() === '');
}

function lineAt(text: string, at: number): string {
  const end = text.indexOf('\n', at);
  return text.slice(at, Math.min(end === -1 ? text.length : end, at + BAD_TEXT_CHARS_MAX));
}

function linesIn(text: string, from: number, to: number): number {
  let lines = 0;
  for (let at = text.indexOf('\n', from); at !== -1 && at < to; at = text.indexOf('\n', at + 1)) lines += 1;
  return lines;
}
