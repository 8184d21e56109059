import { deserialize, serialize, type Document } from 'bson';
import { CODE, codeOf, CommandError, inTransaction, writeConflict } from '../errors.js';
import { bytesOf, execute, failTransaction } from '../execution.js';
import type { Reply, Call, Handler } from '../context.js';
import { PostgresError, type Statement } from '../postgres/protocol.js';
import { SQL } from '../postgres/sql.js';
import { failedReply, type WriteError } from '../write-errors.js';
import { describeDuplicate, describeDuplicates } from './duplicate-key.js';

/** Runs a write and returns its first row. A repeated retryable write returns the first reply and writes nothing. */
async function executeWrite(call: Call, statement: Statement, documents: Buffer | null): Promise<[Buffer, boolean]> {
  const { name, db, body, session, txnNumber, inTransaction: isPart } = call.command;
  // In a transaction, drivers repeat the whole transaction instead of a single write.
  const once = isPart || session === undefined || txnNumber === undefined ? undefined : { session, txnNumber };
  const [reply, success] =
    once === undefined
      ? await execute(call, statement, statement === SQL.findAndModify ? [db, body] : [db, body, documents])
      : await execute(call, await call.context.retryableWrites.writeOnce(), [
          ...[name, db, body, documents],
          ...[once.session, String(once.txnNumber)],
        ]);
  if (reply === undefined || reply === null) throw replyMissing(call);
  return [reply, success?.[0] === 1];
}

/** The session has already run a write with a higher number, so the reply to this one is no longer stored. */
function replyMissing({ command }: Call): CommandError {
  const message = `Retryable write ${command.txnNumber} is older than the last write of its session.`;
  return new CommandError(CODE.transactionTooOld, message);
}

function batchWrite(statement: Statement): Handler {
  return async (call) => {
    const [reply, success] = await executeWrite(call, statement, call.command.sequence ?? null);
    return success ? reply : await failedWrites(call, reply);
  };
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

async function findAndModify(call: Call): Promise<Buffer> {
  try {
    const [reply] = await executeWrite(call, SQL.findAndModify, null);
    return reply;
  } catch (error) {
    const cause = error instanceof CommandError ? error.cause : error;
    if (cause instanceof PostgresError && codeOf(cause.code) === CODE.duplicateKey)
      throw await describeDuplicate(call, cause);
    throw error;
  }
}

export const WRITE_COMMANDS: Record<string, (call: Call) => Reply | Promise<Reply>> = {
  insert: batchWrite(SQL.insert),
  update: batchWrite(SQL.update),
  delete: batchWrite(SQL.delete),
  findAndModify,
  findandmodify: findAndModify,
};
