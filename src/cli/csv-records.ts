import type { FileRecord } from '../contacts/index.ts';

/**
 * Reads CSV (RFC 4180) as it comes. A library would do for good files; what matters here is what becomes of bad ones:
 * a quote that is never closed must spoil its own line and not swallow the thousand that follow, and the line numbers
 * told must be right all the same. So a record that cannot be read is given up, and reading goes on with the next line.
 */

/** The longest record; a quote still open after this is one that was never meant. */
const RECORD_CHARS_MAX = 64 * 1024;

const QUOTE = '"';

/** The records of each piece of text as it comes. A byte-order mark, CRLF and lone CR are tolerated. */
export async function* csvRecords(chunks: AsyncIterable<string>): AsyncGenerator<FileRecord[]> {
  const scanner = new CsvScanner();
  for await (const chunk of chunks) yield scanner.push(chunk);
  yield scanner.end();
}

type Scanned =
  | { readonly kind: 'record'; readonly cells: string[]; readonly end: number }
  | { readonly kind: 'bad'; readonly problem: string }
  | { readonly kind: 'unfinished' };

export class CsvScanner {
  private text = '';
  private line = 1;
  private isFirst = true;
  /** The last piece ended in CR: an LF that begins the next is the same line's end. */
  private heldCr = false;
  /** A record was given up, and its line has not ended yet. */
  private skipsLine = false;

  push(chunk: string): FileRecord[] {
    let piece = this.heldCr ? `\r${chunk}` : chunk;
    if (this.isFirst && piece.startsWith('\ufeff')) piece = piece.slice(1);
    this.isFirst &&= chunk === '';
    this.heldCr = piece.endsWith('\r');
    if (this.heldCr) piece = piece.slice(0, -1);
    this.text += piece.replace(/\r\n?/g, '\n');
    return this.scanAll(false);
  }

  end(): FileRecord[] {
    if (this.heldCr) this.text += '\n';
    return this.scanAll(true);
  }

  private scanAll(atEnd: boolean): FileRecord[] {
    const records: FileRecord[] = [];
    let at = 0;
    while (at < this.text.length) {
      if (this.skipsLine) {
        at = this.skipLine(at);
        continue;
      }
      const scanned = scanRecord(this.text, at, atEnd);
      if (scanned.kind === 'unfinished') break;
      if (scanned.kind === 'bad') {
        records.push({ line: this.line, problem: scanned.problem });
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

function scanRecord(text: string, start: number, atEnd: boolean): Scanned {
  const cells: string[] = [];
  let at = start;
  for (;;) {
    const cell = text[at] === QUOTE ? scanQuoted(text, at) : scanPlain(text, at);
    const isCutOff = cell === undefined || (cell.end >= text.length && !atEnd);
    if (isCutOff) return unfinished(text.length - start, cell === undefined && atEnd);
    const next = text[cell.end];
    if (next !== ',' && next !== '\n' && next !== undefined) {
      return {
        kind: 'bad',
        problem: `cell ${cells.length + 1}: expected a comma or the line's end after a quoted text`,
      };
    }
    cells.push(cell.value);
    at = cell.end + 1;
    if (next !== ',') return { kind: 'record', cells, end: Math.min(at, text.length) };
  }
}

function unfinished(chars: number, isQuoteOpen: boolean): Scanned {
  if (isQuoteOpen) return { kind: 'bad', problem: 'a quote is opened and never closed' };
  if (chars <= RECORD_CHARS_MAX) return { kind: 'unfinished' };
  return { kind: 'bad', problem: `expected a row of at most ${RECORD_CHARS_MAX} characters: is a quote left open?` };
}

interface Cell {
  readonly value: string;
  /** Where what follows the cell begins. */
  readonly end: number;
}

function scanPlain(text: string, at: number): Cell {
  let end = at;
  while (end < text.length && text[end] !== ',' && text[end] !== '\n') end += 1;
  return { value: text.slice(at, end), end };
}

/** `undefined`: the closing quote has not come. */
function scanQuoted(text: string, at: number): Cell | undefined {
  let close = text.indexOf(QUOTE, at + 1);
  while (close !== -1 && text[close + 1] === QUOTE) close = text.indexOf(QUOTE, close + 2);
  if (close === -1) return undefined;
  return { value: text.slice(at + 1, close).replaceAll('""', QUOTE), end: close + 1 };
}

function isBlank(cells: readonly string[]): boolean {
  return cells.length === 1 && cells[0]?.trim() === '';
}

function linesIn(text: string, from: number, to: number): number {
  let lines = 0;
  for (let at = text.indexOf('\n', from); at !== -1 && at < to; at = text.indexOf('\n', at + 1)) lines += 1;
  return lines;
}
