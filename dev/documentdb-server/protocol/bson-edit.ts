import { serialize, type Document } from 'bson';
import { elementsOf } from './bson-elements.js';

/** Changes encoded documents without decoding the rest of them. */

/** Appends one field to a document or an element to an array. */
export function withField(document: Buffer, field: Document): Buffer {
  const added = Buffer.from(serialize(field)).subarray(4);
  return withSize(Buffer.concat([document.subarray(0, -1), added]));
}

/** Replaces the embedded document or array `key`, if there is one. */
export function withChanged(document: Buffer, key: string, change: (value: Buffer) => Buffer): Buffer {
  for (const element of elementsOf(document)) {
    if (element.key !== key) continue;
    const { at, end } = element;
    return withSize(
      Buffer.concat([document.subarray(0, at), change(document.subarray(at, end)), document.subarray(end)]),
    );
  }
  return document;
}

function withSize(document: Buffer): Buffer {
  document.writeInt32LE(document.length, 0);
  return document;
}
