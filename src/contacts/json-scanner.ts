import { badFile } from './mapping-refusals.ts';

/** The longest row: far longer than one with every field at its limit. */
export const ROW_BYTES_MAX = 16 * 1024;

/** The text of one row, not yet read as JSON; `undefined` if it is longer than {@link ROW_BYTES_MAX}. */
export interface ScannedRow {
  /** The number of the line, or of the element of the array, from 1. */
  readonly line: number;
  readonly bytes: Uint8Array | undefined;
}

/** Splits bytes into rows while they arrive. */
export interface RowScanner {
  push(piece: Uint8Array): ScannedRow[];
  end(): ScannedRow[];
}

/** Collects the bytes of one row, and drops those of a row that is too long. */
class RowBytes {
  private pieces: Uint8Array[] = [];
  private length = 0;

  add(piece: Uint8Array): void {
    this.length += piece.length;
    if (this.length <= ROW_BYTES_MAX) this.pieces.push(piece);
    else this.pieces = [];
  }

  take(line: number): ScannedRow[] {
    const { length } = this;
    const bytes = length > ROW_BYTES_MAX ? undefined : Buffer.concat(this.pieces, length);
    this.pieces = [];
    this.length = 0;
    return length === 0 ? [] : [{ line, bytes }];
  }
}

const NEWLINE = 0x0a;

/** Rows of NDJSON: each line is one. Lines without any text are left out. */
export class LineScanner implements RowScanner {
  private readonly row = new RowBytes();
  private line = 1;

  push(piece: Uint8Array): ScannedRow[] {
    const rows: ScannedRow[] = [];
    let at = 0;
    for (let end = piece.indexOf(NEWLINE); end !== -1; end = piece.indexOf(NEWLINE, at)) {
      this.row.add(piece.subarray(at, end));
      rows.push(...this.takeRow());
      this.line += 1;
      at = end + 1;
    }
    this.row.add(piece.subarray(at));
    return rows;
  }

  end(): ScannedRow[] {
    return this.takeRow();
  }

  private takeRow(): ScannedRow[] {
    return this.row.take(this.line).filter(({ bytes }) => bytes === undefined || bytes.some((byte) => !isBlank(byte)));
  }
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];
const BLANKS = [0x20, 0x09, 0x0a, 0x0d];
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

function isBlank(byte: number): boolean {
  return BLANKS.includes(byte);
}

/**
 * Rows of a JSON array: each element is one. What an element contains is read later, so a broken one refuses that row only.
 * Throws a `bad-request` refusal if the elements themselves cannot be told apart, as in an array that does not end.
 */
export class ArrayScanner implements RowScanner {
  private readonly row = new RowBytes();
  private line = 1;
  private place: 'before' | 'element' | 'after' = 'before';
  /** How many arrays and objects of the element are open. */
  private depth = 0;
  private isInText = false;
  private isEscaped = false;
  private isEmptyElement = true;

  push(piece: Uint8Array): ScannedRow[] {
    const rows: ScannedRow[] = [];
    let from = 0;
    for (let at = 0; at < piece.length; at += 1) {
      const byte = piece[at] ?? 0;
      const before = this.place;
      if (this.place === 'element') {
        if (!this.endsElement(byte)) continue;
        this.row.add(piece.subarray(from, at));
        rows.push(...this.takeRow(byte));
      } else {
        this.skip(byte);
      }
      if (this.place === 'element' || before === 'element') from = at + 1;
    }
    if (this.place === 'element') this.row.add(piece.subarray(from));
    return rows;
  }

  end(): ScannedRow[] {
    if (this.place === 'after') return [];
    throw brokenArray(this.place === 'before' ? 'no array' : 'an array that does not end');
  }

  private skip(byte: number): void {
    if (isBlank(byte)) return;
    if (this.place === 'after') throw brokenArray('more after the end of the array');
    if (byte === OPEN_ARRAY) this.place = 'element';
    else if (!BYTE_ORDER_MARK.includes(byte)) throw brokenArray('another value');
  }

  /** Returns true for the comma or the bracket after an element. */
  private endsElement(byte: number): boolean {
    if (this.isInText) {
      this.isInText = this.isEscaped || byte !== QUOTE;
      this.isEscaped = !this.isEscaped && byte === BACKSLASH;
      return false;
    }
    if (this.depth === 0 && (byte === COMMA || byte === CLOSE_ARRAY)) return true;
    if (!isBlank(byte)) this.isEmptyElement = false;
    if (byte === QUOTE) this.isInText = true;
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) this.depth += 1;
    else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) this.depth -= 1;
    if (this.depth < 0) throw brokenArray('a bracket that closes nothing');
    return false;
  }

  private takeRow(end: number): ScannedRow[] {
    const rows = this.row.take(this.line);
    const isEmpty = this.isEmptyElement;
    if (isEmpty && (end === COMMA || this.line > 1)) throw brokenArray('a comma without an element');
    this.place = end === CLOSE_ARRAY ? 'after' : 'element';
    this.line += 1;
    this.isEmptyElement = true;
    return isEmpty ? [] : rows;
  }
}

function brokenArray(received: string): Error {
  return badFile(`the body is not one JSON array: it has ${received}`, 'a JSON array of rows', received);
}
