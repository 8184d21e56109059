import { COPY_BYTES_MAX } from '../limits.js';

/** The part of PostgreSQL's protocol 3.0 that this server uses: prepared statements with binary values. */

/** A prepared statement, which its name identifies on a connection. */
export interface Statement {
  name: string;
  text: string;
}

export interface Step {
  statement: Statement;
  values?: readonly (Buffer | string | null)[];
}

/** The columns of one row in PostgreSQL's binary format. */
export type Row = readonly (Buffer | null)[];

export interface StepResult {
  rows: Row[];
  /** The command tag, such as `COMMIT`. After COMMIT of a failed transaction, it is `ROLLBACK`. */
  tag: string;
  /** Another open transaction had locked a row, so that this server tried to cancel the statement. */
  waitedForRow: boolean;
}

/** An error that PostgreSQL reported. `code` is the SQLSTATE. */
export class PostgresError extends Error {
  readonly code: string;
  readonly detail: string | undefined;
  readonly constraint: string | undefined;

  constructor(fields: Map<string, string>) {
    super(fields.get('M') ?? 'PostgreSQL reported an error without a message');
    this.code = fields.get('C') ?? 'XX000';
    this.detail = fields.get('D');
    this.constraint = fields.get('n');
  }
}

/** PostgreSQL waited for a row of another open transaction, and this server cancelled the statement. */
export class RowLockedError extends Error {}

/** The connection closed. Whether the running statements took effect is unknown. */
export class ConnectionLostError extends Error {}

const PROTOCOL_VERSION = 196_608;
const CANCEL_CODE = 80_877_102;
const BINARY = 1;

export function startupMessage(parameters: Record<string, string>): Buffer {
  const text = Object.entries(parameters).flat().join('\0') + '\0\0';
  const message = Buffer.alloc(8 + Buffer.byteLength(text));
  message.writeInt32BE(message.length, 0);
  message.writeInt32BE(PROTOCOL_VERSION, 4);
  message.write(text, 8);
  return message;
}

export function cancelMessage(key: { pid: number; secret: Buffer }): Buffer {
  const head = Buffer.alloc(12);
  head.writeInt32BE(head.length + key.secret.length, 0);
  head.writeInt32BE(CANCEL_CODE, 4);
  head.writeInt32BE(key.pid, 8);
  return Buffer.concat([head, key.secret]);
}

export const TERMINATE_MESSAGE = Buffer.from([0x58, 0, 0, 0, 4]);
const SYNC_MESSAGE = Buffer.from([0x53, 0, 0, 0, 4]);
/** Execute the unnamed portal and return all rows. */
const EXECUTE_MESSAGE = Buffer.from([0x45, 0, 0, 0, 9, 0, 0, 0, 0, 0]);

function parseMessage({ name, text }: Statement): Buffer {
  const message = Buffer.alloc(1 + 4 + Buffer.byteLength(name) + 1 + Buffer.byteLength(text) + 1 + 2);
  message[0] = 0x50;
  message.writeInt32BE(message.length - 1, 1);
  message.write(`${name}\0${text}\0`, 5);
  return message;
}

/** Bind to the unnamed portal, with all parameters and result columns in binary. */
function pushBind(parts: Buffer[], name: string, values: readonly (Buffer | string | null)[]): void {
  const nameBytes = Buffer.byteLength(name);
  const sizes = values.map((value) => (value === null ? 0 : Buffer.byteLength(value)));
  const small = sizes.reduce((sum, size) => sum + 4 + (size > COPY_BYTES_MAX ? 0 : size), 0);
  const large = sizes.reduce((sum, size) => sum + (size > COPY_BYTES_MAX ? size : 0), 0);
  const message = Buffer.allocUnsafe(1 + 4 + 1 + nameBytes + 1 + 4 + 2 + small + 4);
  message[0] = 0x42;
  message.writeInt32BE(message.length - 1 + large, 1);
  let at = message.writeUInt8(0, 5);
  at += message.write(name, at);
  at = message.writeUInt8(0, at);
  at = message.writeInt16BE(1, at);
  at = message.writeInt16BE(BINARY, at);
  at = message.writeInt16BE(values.length, at);
  let written = 0;
  for (const [index, value] of values.entries()) {
    const size = sizes[index] ?? 0;
    at = message.writeInt32BE(value === null ? -1 : size, at);
    if (value === null) continue;
    if (typeof value === 'string') at += message.write(value, at);
    else if (size <= COPY_BYTES_MAX) at += value.copy(message, at);
    else {
      parts.push(message.subarray(written, at), value);
      written = at;
    }
  }
  at = message.writeInt16BE(1, at);
  message.writeInt16BE(BINARY, at);
  parts.push(written === 0 ? message : message.subarray(written));
}

/**
 * Encodes `steps` with one Sync at the end. PostgreSQL replies to all of them together and skips the rest after an error.
 * `parsed` has the names of the statements that the batch prepares, in order. They are also added to `prepared`.
 */
export function batchMessage(steps: readonly Step[], prepared: Set<string>): { parts: Buffer[]; parsed: string[] } {
  const parts: Buffer[] = [];
  const parsed: string[] = [];
  for (const { statement, values } of steps) {
    if (!prepared.has(statement.name)) {
      prepared.add(statement.name);
      parsed.push(statement.name);
      parts.push(parseMessage(statement));
    }
    pushBind(parts, statement.name, values ?? []);
    parts.push(EXECUTE_MESSAGE);
  }
  parts.push(SYNC_MESSAGE);
  return { parts, parsed };
}

export function rowOf(frame: Buffer): Row {
  const columns = frame.readInt16BE(5);
  const row: (Buffer | null)[] = [];
  let at = 7;
  for (let column = 0; column < columns; column += 1) {
    const size = frame.readInt32BE(at);
    at += 4;
    row.push(size < 0 ? null : frame.subarray(at, at + size));
    at += Math.max(size, 0);
  }
  return row;
}

export function errorOf(frame: Buffer): PostgresError {
  return new PostgresError(fieldsOf(frame));
}

/** Reads the fields of an ErrorResponse or a NoticeResponse. */
function fieldsOf(frame: Buffer): Map<string, string> {
  const fields = new Map<string, string>();
  let at = 5;
  while (at < frame.length && frame[at] !== 0) {
    const end = frame.indexOf(0, at + 1);
    fields.set(String.fromCharCode(frame[at] ?? 0), frame.toString('utf8', at + 1, end));
    at = end + 1;
  }
  return fields;
}

/**
 * The report that PostgreSQL sends with `log_lock_waits` when it waits for a row. A row is locked by the transaction that
 * wrote it, and by the first session that waits for that transaction. PostgreSQL has many other locks, for example for a
 * table that grows.
 */
const WAITS_FOR_ROW = /still waiting for \w+ on (transaction|tuple|speculative token) /;

export function isWaitForRow(notice: Buffer): boolean {
  return WAITS_FOR_ROW.test(fieldsOf(notice).get('M') ?? '');
}

/** Returns the command tag without the row count. */
export function tagOf(frame: Buffer): string {
  return frame.toString('latin1', 5, frame.length - 1).replace(/ .*/, '');
}

const INT8_OID = 20;

/** Encodes a bigint[] parameter in PostgreSQL's binary format. */
export function int64Array(values: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(20 + values.length * 12);
  bytes.writeInt32BE(1, 0);
  bytes.writeInt32BE(INT8_OID, 8);
  bytes.writeInt32BE(values.length, 12);
  bytes.writeInt32BE(1, 16);
  for (const [index, value] of values.entries()) {
    bytes.writeInt32BE(8, 20 + index * 12);
    bytes.writeBigInt64BE(value, 24 + index * 12);
  }
  return bytes;
}
