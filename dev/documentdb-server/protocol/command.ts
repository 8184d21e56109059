import { deserialize, type Timestamp } from 'bson';
import { BSON_TYPE, elementsOf, MalformedBson, numberAt, stringAt, type Element } from './bson-elements.js';
import type { Message } from './message.js';

/** The header fields of a command. All other fields stay undecoded in `body`. */
export interface Command {
  name: string;
  /** The value of the first field if it is a string; usually the collection. */
  target: string;
  db: string;
  body: Buffer;
  sequence: Buffer | undefined;
  /** The session id in hexadecimal. */
  session: string | undefined;
  txnNumber: bigint | undefined;
  /** `autocommit: false`: the command is part of a transaction of several statements. */
  inTransaction: boolean;
  startTransaction: boolean;
  /** The waiting time of an awaitable hello; `undefined` for other commands. */
  maxAwaitTimeMs: number | undefined;
  /** `explain: true` among the fields of an aggregate, as the shell sends it. */
  explain: boolean;
  /** `readConcern: { level: 'snapshot' }`. `time` is that of an earlier reply. */
  snapshot: { time: Timestamp | undefined } | undefined;
  /** The command has a `query` that is not empty. */
  hasQuery: boolean;
  /** The cursor of a getMore. */
  cursorId: bigint;
  message: Message;
}

const EMPTY_DOCUMENT_BYTES = 5;

type Reader = (command: Command, document: Buffer, element: Element) => void;

const READERS = new Map<string, Reader>([
  ['$db', (command, document, element) => (command.db = stringOr(document, element, 'admin'))],
  ['lsid', (command, document, element) => (command.session = sessionOf(document, element))],
  ['txnNumber', (command, document, element) => (command.txnNumber = bigintOf(document, element))],
  ['autocommit', (command, document, element) => (command.inTransaction = numberAt(document, element) === 0)],
  ['startTransaction', (command, document, element) => (command.startTransaction = numberAt(document, element) === 1)],
  ['explain', (command, document, element) => (command.explain = numberAt(document, element) === 1)],
  ['query', (command, _document, element) => (command.hasQuery = element.end - element.at > EMPTY_DOCUMENT_BYTES)],
  ['readConcern', (command, document, element) => (command.snapshot = snapshotOf(document, element))],
  ['maxAwaitTimeMS', (command, document, element) => (command.maxAwaitTimeMs = numberAt(document, element))],
]);

/** Throws MalformedBson unless the body is one complete document with at least one field. */
export function readCommand(message: Message): Command {
  const { body, sequence } = message;
  const command: Command = {
    name: '',
    target: '',
    db: 'admin',
    body,
    sequence,
    session: undefined,
    txnNumber: undefined,
    inTransaction: false,
    startTransaction: false,
    maxAwaitTimeMs: undefined,
    explain: false,
    snapshot: undefined,
    hasQuery: false,
    cursorId: 0n,
    message,
  };
  for (const element of elementsOf(body)) {
    if (command.name === '') readName(command, body, element);
    else READERS.get(element.key)?.(command, body, element);
  }
  if (command.name === '') throw new MalformedBson('the command has no name');
  return command;
}

function readName(command: Command, document: Buffer, element: Element): void {
  command.name = element.key;
  if (element.key === 'getMore') command.cursorId = bigintOf(document, element);
  command.target = stringOr(document, element, '');
}

function stringOr(document: Buffer, element: Element, fallback: string): string {
  return element.type === BSON_TYPE.string ? stringAt(document, element) : fallback;
}

function bigintOf(document: Buffer, element: Element): bigint {
  if (element.type === BSON_TYPE.int64) return document.readBigInt64LE(element.at);
  return BigInt(Math.trunc(numberAt(document, element) ?? 0));
}

function snapshotOf(document: Buffer, { type, at, end }: Element): Command['snapshot'] {
  if (type !== BSON_TYPE.document) return undefined;
  const concern = deserialize(document.subarray(at, end)) as { level?: string; atClusterTime?: Timestamp };
  return concern.level === 'snapshot' ? { time: concern.atClusterTime } : undefined;
}

/** Reads the sixteen bytes of `lsid: { id: UUID }`. */
function sessionOf(document: Buffer, lsid: Element): string | undefined {
  if (lsid.type !== BSON_TYPE.document) return undefined;
  const inner = document.subarray(lsid.at, lsid.end);
  for (const element of elementsOf(inner)) {
    if (element.key === 'id' && element.type === BSON_TYPE.binary)
      return inner.toString('hex', element.at + 5, element.end);
  }
  return undefined;
}
