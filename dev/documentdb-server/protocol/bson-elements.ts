/**
 * Reads the top-level elements of a BSON document without building objects. It skips values by their length, so that a
 * command with a body of 48 MB costs no more than its dozen header fields.
 */

export class MalformedBson extends Error {}

export const BSON_TYPE = {
  double: 0x01,
  string: 0x02,
  document: 0x03,
  array: 0x04,
  binary: 0x05,
  bool: 0x08,
  int32: 0x10,
  int64: 0x12,
} as const;

/** The value is at `document.subarray(at, end)`. */
export interface Element {
  type: number;
  key: string;
  at: number;
  end: number;
}

const LENGTH_BYTES = 4;
const OBJECT_ID_BYTES = 12;
/** The types with a fixed size. */
const FIXED_BYTES = new Map<number, number>([
  [0x01, 8],
  [0x06, 0],
  [0x07, OBJECT_ID_BYTES],
  [0x08, 1],
  [0x09, 8],
  [0x0a, 0],
  [0x10, 4],
  [0x11, 8],
  [0x12, 8],
  [0x13, 16],
  [0x7f, 0],
  [0xff, 0],
]);

function cstringEnd(bytes: Buffer, at: number): number {
  const end = bytes.indexOf(0, at);
  if (end < 0) throw new MalformedBson('a name has no terminator');
  return end + 1;
}

function valueEnd(bytes: Buffer, type: number, at: number): number {
  const fixed = FIXED_BYTES.get(type);
  if (fixed !== undefined) return at + fixed;
  if (type === 0x0b) return cstringEnd(bytes, cstringEnd(bytes, at));
  if (at + LENGTH_BYTES > bytes.length) throw new MalformedBson('a value has no length');
  const length = bytes.readInt32LE(at);
  if (length < 0) throw new MalformedBson('a length is negative');
  switch (type) {
    case BSON_TYPE.document:
    case BSON_TYPE.array:
    case 0x0f:
      return at + length;
    case BSON_TYPE.string:
    case 0x0d:
    case 0x0e:
      return at + LENGTH_BYTES + length;
    case BSON_TYPE.binary:
      return at + LENGTH_BYTES + 1 + length;
    case 0x0c:
      return at + LENGTH_BYTES + length + OBJECT_ID_BYTES;
    default:
      throw new MalformedBson(`unknown BSON type ${type}`);
  }
}

/** Returns the size of the document after checking it against the available bytes. */
export function documentSize(bytes: Buffer, at: number): number {
  if (at + LENGTH_BYTES > bytes.length) throw new MalformedBson('a document has no length');
  const size = bytes.readInt32LE(at);
  if (size < LENGTH_BYTES + 1 || at + size > bytes.length) throw new MalformedBson(`a document claims ${size} bytes`);
  return size;
}

/** Yields the top-level elements of `document`, which must be exactly one document. */
export function* elementsOf(document: Buffer): Generator<Element> {
  const end = documentSize(document, 0) - 1;
  let at = LENGTH_BYTES;
  while (at < end) {
    const type = document[at] ?? 0;
    const valueAt = cstringEnd(document, at + 1);
    const key = document.toString('utf8', at + 1, valueAt - 1);
    at = valueEnd(document, type, valueAt);
    if (at <= valueAt - 1 || at > end) throw new MalformedBson(`the value of ${key} exceeds its document`);
    yield { type, key, at: valueAt, end: at };
  }
}

/** Yields the documents of a document sequence (kind 1 section). */
export function* documentsOf(sequence: Buffer): Generator<Buffer> {
  for (let at = 0; at < sequence.length;) {
    const size = documentSize(sequence, at);
    yield sequence.subarray(at, at + size);
    at += size;
  }
}

export function stringAt(document: Buffer, { at, end }: Element): string {
  return document.toString('utf8', at + LENGTH_BYTES, end - 1);
}

/** Converts any BSON number or boolean to a number. Returns `undefined` for other types. */
export function numberAt(document: Buffer, { type, at }: Element): number | undefined {
  switch (type) {
    case BSON_TYPE.double:
      return document.readDoubleLE(at);
    case BSON_TYPE.int32:
      return document.readInt32LE(at);
    case BSON_TYPE.int64:
      return Number(document.readBigInt64LE(at));
    case BSON_TYPE.bool:
      return document[at];
    default:
      return undefined;
  }
}
