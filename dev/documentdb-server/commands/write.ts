import { deserialize, serialize } from 'bson';
import { CODE, codeOf, CommandError, inTransaction, writeConflict } from '../errors.js';
import { execute, failTransaction } from '../execution.js';
import type { Answer, Call, Handler } from '../front.js';
import { PostgresError, type Statement } from '../postgres/protocol.js';
import { SQL } from '../postgres/sql.js';
import { unpackSqlState } from '../protocol/error-codes.js';
import { describeDuplicate, describeDuplicates, type WriteError } from './duplicate-key.js';

/** Names a retryable write to the extension, which then knows the same command when it comes again. */
function writeId({ command }: Call): string | null {
  const { session, txnNumber, inTransaction: within } = command;
  return session !== undefined && txnNumber !== undefined && !within ? `${session}-${txnNumber}` : null;
}

/** A retryable write is answered once: sent again, it gets the first answer and writes nothing. */
function retryable(write: (call: Call) => Promise<Buffer>): Handler {
  return (call) => {
    const { session, txnNumber, inTransaction: within } = call.command;
    if (session === undefined || txnNumber === undefined || within) return write(call);
    return call.front.remembered.once(session, txnNumber, () => write(call));
  };
}

function batchWrite(statement: Statement): Handler {
  return retryable(async (call) => {
    const { db, body, sequence } = call.command;
    const [answer, success] = await execute(call, statement, [db, body, sequence ?? null, writeId(call)]);
    if (answer === undefined || answer === null)
      throw new CommandError(CODE.internalError, 'a write without an answer');
    return success?.[0] === 1 ? answer : await failedWrites(call, answer);
  });
}

/** The answer of a batch with failed writes, its codes turned into MongoDB's. */
async function failedWrites(call: Call, bytes: Buffer): Promise<Buffer> {
  const answer = deserialize(bytes, { promoteLongs: false });
  const reported = (answer['writeErrors'] ?? []) as WriteError[];
  const errors = reported.map((error) => ({ ...error, code: codeOf(unpackSqlState(error.code)) }));
  if (call.command.inTransaction) {
    await failTransaction(call);
    const [first] = errors;
    if (first?.code === CODE.writeConflict || first?.code === CODE.lockTimeout) throw inTransaction(writeConflict());
  }
  return Buffer.from(serialize({ ...answer, writeErrors: await describeDuplicates(call, errors) }));
}

const findAndModify = retryable(async (call) => {
  const { db, body } = call.command;
  try {
    const [answer] = await execute(call, SQL.findAndModify, [db, body, writeId(call)]);
    if (answer === undefined || answer === null)
      throw new CommandError(CODE.internalError, 'a findAndModify without an answer');
    return answer;
  } catch (error) {
    const cause = error instanceof CommandError ? error.cause : error;
    if (cause instanceof PostgresError && codeOf(cause.code) === CODE.duplicateKey)
      throw await describeDuplicate(call, cause);
    throw error;
  }
});

export const WRITE_COMMANDS: Record<string, (call: Call) => Answer | Promise<Answer>> = {
  insert: batchWrite(SQL.insert),
  update: batchWrite(SQL.update),
  delete: batchWrite(SQL.delete),
  findAndModify,
  findandmodify: findAndModify,
};
