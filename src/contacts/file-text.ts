import { badFile } from './mapping-refusals.ts';
import { shown } from '../domain/visible-text.ts';

/** Reads the bytes of a file from the beginning, each time that it is called. */
export type ReadBytes = () => AsyncIterable<Uint8Array>;

export interface FileEncoding {
  /** A label of the Encoding Standard, such as "utf-8". */
  readonly name: string;
  /** False when nothing in the file says so. */
  readonly isCertain: boolean;
}

const UTF_8 = 'utf-8';
const WINDOWS_1252 = 'windows-1252';
const MACINTOSH = 'macintosh';
const BYTE_ORDER_MARKS: readonly (readonly [string, readonly number[]])[] = [
  [UTF_8, [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
];

/** The share of NUL bytes in every second place that only UTF-16 has. Western text has nearly all there. */
const UTF_16_SHARE_MIN = 0.4;

/** Finds out the encoding of a file. Reads all of it, because the first letter with an accent may be at its end. */
export async function encodingOf(read: ReadBytes, start: Uint8Array): Promise<FileEncoding> {
  const mark = BYTE_ORDER_MARKS.find(([, bytes]) => bytes.every((byte, at) => start[at] === byte));
  if (mark) return { name: mark[0], isCertain: true };
  const utf16 = utf16Of(start);
  if (utf16 !== undefined) return { name: utf16, isCertain: true };
  if (await isUtf8(read)) return { name: UTF_8, isCertain: true };
  const bytes = await countBytes(read);
  if (bytes.valid > bytes.invalid) return { name: UTF_8, isCertain: false };
  return { name: bytes.carriageReturns > 0 && bytes.newlines === 0 ? MACINTOSH : WINDOWS_1252, isCertain: false };
}

/** Checks an encoding that a person has named. */
export function namedEncoding(label: string): FileEncoding {
  try {
    return { name: new TextDecoder(label).encoding, isCertain: true };
  } catch {
    throw badFile(`--encoding ${shown(label)} is not known`, 'an encoding such as utf-8 or windows-1252', shown(label));
  }
}

export async function* textIn(read: ReadBytes, { name }: FileEncoding): AsyncGenerator<string> {
  if (name === WINDOWS_1252) {
    for await (const piece of read()) yield windows1252(piece);
    return;
  }
  const decoder = new TextDecoder(name);
  for await (const piece of read()) yield decoder.decode(piece, { stream: true });
  yield decoder.decode();
}

/** The characters of the bytes from 0x80 to 0x9f. The decoder of some versions of Node 20 reads them as control characters. */
const SPECIAL_1252 = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';
const SPECIAL_FIRST = 0x80;

const SPECIAL = /[\u0080-\u009f]/g;

function windows1252(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return text.replace(SPECIAL, (byte) => SPECIAL_1252.charAt(byte.charCodeAt(0) - SPECIAL_FIRST));
}

function utf16Of(start: Uint8Array): string | undefined {
  const places = Math.floor(start.length / 2);
  const nuls = [0, 0];
  for (let at = 0; at < places * 2; at += 1) if (start[at] === 0) nuls[at % 2] = (nuls[at % 2] ?? 0) + 1;
  const [even = 0, odd = 0] = nuls;
  if (odd > places * UTF_16_SHARE_MIN) return 'utf-16le';
  return even > places * UTF_16_SHARE_MIN ? 'utf-16be' : undefined;
}

async function isUtf8(read: ReadBytes): Promise<boolean> {
  const decoder = new TextDecoder(UTF_8, { fatal: true });
  try {
    for await (const piece of read()) decoder.decode(piece, { stream: true });
    decoder.decode();
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

interface ByteCounts {
  /** Characters of several bytes, and bytes that belong to none. Text in another encoding has few of the former. */
  readonly valid: number;
  readonly invalid: number;
  readonly carriageReturns: number;
  readonly newlines: number;
}

/** Tells a file with some broken characters from a file in another encoding. */
async function countBytes(read: ReadBytes): Promise<ByteCounts> {
  const decoder = new TextDecoder(UTF_8);
  const counts = { valid: 0, invalid: 0, carriageReturns: 0, newlines: 0 };
  for await (const piece of read()) {
    for (const character of decoder.decode(piece, { stream: true })) {
      if (character === '\ufffd') counts.invalid += 1;
      else if (character > '\u007f') counts.valid += 1;
      else if (character === '\r') counts.carriageReturns += 1;
      else if (character === '\n') counts.newlines += 1;
    }
  }
  return counts;
}
