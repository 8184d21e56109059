import { COPY_BYTES_MAX, MESSAGE_BYTES_MAX } from '../limits.js';
import { documentSize } from './bson-elements.js';
import type { FrameLayout } from './frames.js';

/** MongoDB's messages: OP_MSG, and OP_QUERY, which drivers still use for the handshake. */

export class MalformedMessage extends Error {}

const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_MSG = 2013;
const HEADER_BYTES = 16;
const FLAG_CHECKSUM = 1;
const FLAG_MORE_TO_COME = 2;
const FLAG_EXHAUST_ALLOWED = 1 << 16;
/** A receiver must reject a message with an unknown flag among bits 0 to 15. */
const REQUIRED_FLAGS_UNKNOWN = 0xffff & ~(FLAG_CHECKSUM | FLAG_MORE_TO_COME);
const CHECKSUM_BYTES = 4;
const OP_REPLY_BYTES = 20;
const AWAIT_CAPABLE = 8;

export const MESSAGE_LAYOUT: FrameLayout = {
  lengthAt: 0,
  bigEndian: false,
  uncounted: 0,
  bytesMin: HEADER_BYTES + 5,
  bytesMax: MESSAGE_BYTES_MAX,
};

export interface Message {
  requestId: number;
  /** The message is an OP_QUERY. Its reply is an OP_REPLY. */
  legacy: boolean;
  body: Buffer;
  /** The documents of the kind 1 section: inserts, updates or deletes outside the body of the command. */
  sequence: Buffer | undefined;
  wantsReply: boolean;
  exhaustAllowed: boolean;
}

export function readMessage(frame: Buffer): Message {
  const operation = frame.readInt32LE(12);
  if (operation === OP_MSG) return readOpMsg(frame);
  if (operation === OP_QUERY) return readOpQuery(frame);
  throw new MalformedMessage(`opcode ${operation} is neither OP_MSG nor OP_QUERY`);
}

function readOpMsg(frame: Buffer): Message {
  const flags = frame.readUInt32LE(HEADER_BYTES);
  if ((flags & REQUIRED_FLAGS_UNKNOWN) !== 0) throw new MalformedMessage(`unknown flags 0x${flags.toString(16)}`);
  const end = frame.length - ((flags & FLAG_CHECKSUM) === 0 ? 0 : CHECKSUM_BYTES);
  let body: Buffer | undefined;
  let sequence: Buffer | undefined;
  for (let at = HEADER_BYTES + 4; at < end;) {
    const kind = frame[at];
    const size = documentSize(frame, at + 1);
    const section = frame.subarray(at + 1, at + 1 + size);
    if (at + 1 + size > end || (kind !== 0 && kind !== 1)) throw new MalformedMessage('a section is malformed');
    if (kind === 0) body = section;
    // Only the client-wide bulkWrite command has two sequences, and this server does not support it.
    else sequence ??= documentsIn(section);
    at += 1 + size;
  }
  if (body === undefined) throw new MalformedMessage('the message has no body section');
  return {
    requestId: frame.readInt32LE(4),
    legacy: false,
    body,
    sequence,
    wantsReply: (flags & FLAG_MORE_TO_COME) === 0,
    exhaustAllowed: (flags & FLAG_EXHAUST_ALLOWED) !== 0,
  };
}

/** Skips the length and the name of a kind 1 section. */
function documentsIn(section: Buffer): Buffer {
  const nameEnd = section.indexOf(0, 4);
  if (nameEnd < 0) throw new MalformedMessage('a document sequence has no name');
  return section.subarray(nameEnd + 1);
}

function readOpQuery(frame: Buffer): Message {
  const nameEnd = frame.indexOf(0, HEADER_BYTES + 4);
  const at = nameEnd + 1 + 8;
  if (nameEnd < 0) throw new MalformedMessage('the OP_QUERY has no collection name');
  const body = frame.subarray(at, at + documentSize(frame, at));
  const requestId = frame.readInt32LE(4);
  return { requestId, legacy: true, body, sequence: undefined, wantsReply: true, exhaustAllowed: false };
}

/** Encodes a reply. `moreToCome` announces another reply to the same message. */
export function replyParts(message: Message, body: Buffer, moreToCome: boolean): Buffer[] {
  const head = replyHead(message, body, moreToCome);
  return body.length > COPY_BYTES_MAX ? [head, body] : [Buffer.concat([head, body])];
}

function replyHead(message: Message, body: Buffer, moreToCome: boolean): Buffer {
  const head = Buffer.alloc(HEADER_BYTES + (message.legacy ? OP_REPLY_BYTES : 5));
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(message.requestId, 8);
  head.writeInt32LE(message.legacy ? OP_REPLY : OP_MSG, 12);
  if (message.legacy) {
    head.writeInt32LE(AWAIT_CAPABLE, HEADER_BYTES);
    head.writeInt32LE(1, HEADER_BYTES + 16);
  } else if (moreToCome) {
    head.writeUInt32LE(FLAG_MORE_TO_COME, HEADER_BYTES);
  }
  return head;
}
