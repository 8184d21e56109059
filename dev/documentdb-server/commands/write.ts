import { deserialize, serialize } from 'bson';
import { CODE, codeOf, CommandError, inTransaction, writeConflict } from '../errors.js';
import { execute, failTransaction } from '../execution.js';
import type { Reply, Call, Handler } from '../context.js';
import { PostgresError, type Statement } from '../postgres/protocol.js';
import { SQL } from '../postgres/sql.js';
import { unpackSqlState } from '../protocol/error-codes.js';
import { describeDuplicate, describeDuplicates, type WriteError } from './duplicate-key.js';

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
  const reply = deserialize(bytes, { promoteLongs: false });
  const reported = (reply['writeErrors'] ?? []) as WriteError[];
  const errors = reported.map((error) => ({ ...error, code: codeOf(unpackSqlState(error.code)) }));
  if (call.command.inTransaction) {
    await failTransaction(call);
    const [first] = errors;
    if (first?.code === CODE.writeConflict || first?.code === CODE.lockTimeout) throw inTransaction(writeConflict());
  }
  return Buffer.from(serialize({ ...reply, writeErrors: await describeDuplicates(call, errors) }));
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
