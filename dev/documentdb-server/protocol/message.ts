import { COPY_BYTES_MAX, MESSAGE_BYTES_MAX } from '../limits.js';
import { documentSize } from './bson-walk.js';
import type { FrameLayout } from './frames.js';

/** MongoDB's messages: OP_MSG, and the OP_QUERY handshake drivers still open with. */

export class MalformedMessage extends Error {}

const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_MSG = 2013;
const HEADER_BYTES = 16;
const FLAG_CHECKSUM = 1;
const FLAG_MORE_TO_COME = 2;
const FLAG_EXHAUST_ALLOWED = 1 << 16;
/** Bits 0 to 15 a receiver must know; an unknown one set makes the message an error. */
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
  /** It came as OP_QUERY and is answered by OP_REPLY. */
  legacy: boolean;
  body: Buffer;
  /** The documents of the kind-1 section: inserts, updates or deletes sent beside the command's body. */
  sequence: Buffer | undefined;
  wantsAnswer: boolean;
  exhaustAllowed: boolean;
}

export function readMessage(frame: Buffer): Message {
  const operation = frame.readInt32LE(12);
  if (operation === OP_MSG) return readOpMsg(frame);
  if (operation === OP_QUERY) return readOpQuery(frame);
  throw new MalformedMessage(`operation ${operation}, expected OP_MSG or OP_QUERY`);
}

function readOpMsg(frame: Buffer): Message {
  const flags = frame.readUInt32LE(HEADER_BYTES);
  if ((flags & REQUIRED_FLAGS_UNKNOWN) !== 0) throw new MalformedMessage(`flags ${flags.toString(16)}`);
  const end = frame.length - ((flags & FLAG_CHECKSUM) === 0 ? 0 : CHECKSUM_BYTES);
  let body: Buffer | undefined;
  let sequence: Buffer | undefined;
  for (let at = HEADER_BYTES + 4; at < end;) {
    const kind = frame[at];
    const size = documentSize(frame, at + 1);
    const section = frame.subarray(at + 1, at + 1 + size);
    if (at + 1 + size > end || (kind !== 0 && kind !== 1))
      throw new MalformedMessage('a section reaches beyond its end');
    if (kind === 0) body = section;
    // Only the client-wide bulkWrite sends two, a command the front does not know.
    else sequence ??= documentsIn(section);
    at += 1 + size;
  }
  if (body === undefined) throw new MalformedMessage('no body section');
  return {
    requestId: frame.readInt32LE(4),
    legacy: false,
    body,
    sequence,
    wantsAnswer: (flags & FLAG_MORE_TO_COME) === 0,
    exhaustAllowed: (flags & FLAG_EXHAUST_ALLOWED) !== 0,
  };
}

/** A kind-1 section's documents, after its length and its name. */
function documentsIn(section: Buffer): Buffer {
  const nameEnd = section.indexOf(0, 4);
  if (nameEnd < 0) throw new MalformedMessage('a document sequence without a name');
  return section.subarray(nameEnd + 1);
}

function readOpQuery(frame: Buffer): Message {
  const nameEnd = frame.indexOf(0, HEADER_BYTES + 4);
  const at = nameEnd + 1 + 8;
  if (nameEnd < 0) throw new MalformedMessage('OP_QUERY without a collection name');
  const body = frame.subarray(at, at + documentSize(frame, at));
  const requestId = frame.readInt32LE(4);
  return { requestId, legacy: true, body, sequence: undefined, wantsAnswer: true, exhaustAllowed: false };
}

/** An answer's bytes, as one piece where copying is cheaper than a second write; `moreToCome` announces another one. */
export function answerParts(message: Message, body: Buffer, moreToCome: boolean): Buffer[] {
  const head = answerHead(message, body, moreToCome);
  return body.length > COPY_BYTES_MAX ? [head, body] : [Buffer.concat([head, body])];
}

function answerHead(message: Message, body: Buffer, moreToCome: boolean): Buffer {
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
