import { deserialize, type Document } from 'bson';
import { codeOf } from './errors.js';
import { unpackSqlState } from './protocol/error-codes.js';

/** The error of one statement of a batch. `index` is the position of the statement. */
export interface WriteError extends Document {
  index: number;
  code: number;
  errmsg: string;
}

/** Decodes DocumentDB's reply to a batch. The codes of its `writeErrors` become MongoDB's codes. */
export function failedReply(bytes: Buffer): { reply: Document; errors: WriteError[] } {
  const reply = deserialize(bytes, { promoteLongs: false });
  const reported = (reply['writeErrors'] ?? []) as WriteError[];
  return { reply, errors: reported.map((error) => ({ ...error, code: codeOf(unpackSqlState(error.code)) })) };
}
