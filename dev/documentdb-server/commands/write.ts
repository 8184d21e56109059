import { deserialize, serialize, type Document } from 'bson';
import { CODE, codeOf, CommandError, inTransaction, writeConflict } from '../errors.js';
import { bytesOf, execute, failTransaction } from '../execution.js';
import type { Reply, Call, Handler } from '../context.js';
import { PostgresError, type Statement } from '../postgres/protocol.js';
import { SQL } from '../postgres/sql.js';
import { failedReply, type WriteError } from '../write-errors.js';
import { describeDuplicate, describeDuplicates } from './duplicate-key.js';

/** Returns `undefined` in a transaction, where drivers repeat the whole transaction instead of a single write. */
function retryableWrite({ command }: Call): { session: string; number: bigint } | undefined {
  const { session, txnNumber: number } = command;
  return command.inTransaction || session === undefined || number === undefined ? undefined : { session, number };
}

/** Identifies a retryable write, so that DocumentDB recognises a repeated command. */
function writeId(call: Call): string | null {
  const id = retryableWrite(call);
  return id === undefined ? null : `${id.session}-${id.number}`;
}

/** A repeated retryable write returns the first reply and writes nothing. */
function retryable(write: (call: Call) => Promise<Buffer>): Handler {
  return (call) => {
    const id = retryableWrite(call);
    if (id === undefined) return write(call);
    return call.context.storedReplies.once(id.session, id.number, () => write(call));
  };
}

function batchWrite(statement: Statement): Handler {
  return retryable(async (call) => {
    const { db, body, sequence } = call.command;
    const [reply, success] = await execute(call, statement, [db, body, sequence ?? null, writeId(call)]);
    if (reply === undefined || reply === null)
      throw new CommandError(CODE.internalError, 'DocumentDB returned no reply to a write');
    return success?.[0] === 1 ? reply : await failedWrites(call, reply);
  });
}

/** Converts the error codes of failed writes to MongoDB's codes. */
async function failedWrites(call: Call, bytes: Buffer): Promise<Buffer> {
  const { reply, errors } = failedReply(bytes);
  const writeErrors = await describeDuplicates(call, errors);
  if (call.command.inTransaction) {
    const [first] = writeErrors;
    const isConflict = first?.code === CODE.writeConflict || (await isInvisibleDuplicate(call, first));
    await failTransaction(call);
    if (isConflict) throw inTransaction(writeConflict());
  }
  return Buffer.from(serialize({ ...reply, writeErrors }));
}

/** MongoDB reports a conflict when the duplicate was inserted after the snapshot of the transaction. */
async function isInvisibleDuplicate(call: Call, error: WriteError | undefined): Promise<boolean> {
  const keyValue = error?.['keyValue'] as Document | undefined;
  if (error?.code !== CODE.duplicateKey || keyValue === undefined) return false;
  const { db, target } = call.command;
  const body = Buffer.from(serialize({ count: target, query: keyValue, limit: 1 }));
  const later = { ...call, command: { ...call.command, startTransaction: false } };
  const counted = deserialize(bytesOf(await execute(later, SQL.count, [db, body])));
  return counted['n'] === 0;
}

const findAndModify = retryable(async (call) => {
  const { db, body } = call.command;
  try {
    const [reply] = await execute(call, SQL.findAndModify, [db, body, writeId(call)]);
    if (reply === undefined || reply === null)
      throw new CommandError(CODE.internalError, 'DocumentDB returned no reply to a findAndModify');
    return reply;
  } catch (error) {
    const cause = error instanceof CommandError ? error.cause : error;
    if (cause instanceof PostgresError && codeOf(cause.code) === CODE.duplicateKey)
      throw await describeDuplicate(call, cause);
    throw error;
  }
});

export const WRITE_COMMANDS: Record<string, (call: Call) => Reply | Promise<Reply>> = {
  insert: batchWrite(SQL.insert),
  update: batchWrite(SQL.update),
  delete: batchWrite(SQL.delete),
  findAndModify,
  findandmodify: findAndModify,
};
