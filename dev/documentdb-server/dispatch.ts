import { serialize } from 'bson';
import { EXPLAIN_COMMANDS } from './commands/explain.js';
import { FAIL_POINT_COMMANDS } from './commands/fail-point.js';
import { READ_COMMANDS } from './commands/read.js';
import { SCHEMA_COMMANDS } from './commands/schema.js';
import { SERVER_COMMANDS } from './commands/server.js';
import { SESSION_COMMANDS } from './commands/session.js';
import { WRITE_COMMANDS } from './commands/write.js';
import { CODE, CommandError, errorReply, LABEL, toCommandError } from './errors.js';
import type { Call, Handler } from './context.js';
import { withField } from './protocol/bson-edit.js';
import { FAIL_POINT } from './state/fail-points.js';

const HANDLERS = new Map<string, Handler>(
  [
    SERVER_COMMANDS,
    READ_COMMANDS,
    WRITE_COMMANDS,
    SCHEMA_COMMANDS,
    SESSION_COMMANDS,
    EXPLAIN_COMMANDS,
    FAIL_POINT_COMMANDS,
  ].flatMap((commands) => Object.entries(commands)),
);

/** MongoDB refuses all other commands in a transaction. */
const ALLOWED_IN_TRANSACTION: ReadonlySet<string> = new Set([
  ...['find', 'aggregate', 'distinct', 'getMore', 'killCursors'],
  ...['insert', 'update', 'delete', 'findAndModify', 'findandmodify'],
  ...['create', 'createIndexes', 'commitTransaction', 'abortTransaction'],
]);

/** Runs the command and returns the BSON reply. Never throws; an error becomes a MongoDB error reply. */
export async function dispatch(received: Call): Promise<Buffer> {
  const call = pretending(received);
  try {
    const { name } = call.command;
    const handler = HANDLERS.get(name);
    if (handler === undefined) throw new CommandError(CODE.commandNotFound, `no such command: '${name}'`);
    if (call.command.inTransaction && !ALLOWED_IN_TRANSACTION.has(name))
      throw new CommandError(CODE.notSupportedInTransaction, `Cannot run '${name}' in a multi-document transaction.`);
    const reply = await handler(call);
    return withField(Buffer.isBuffer(reply) ? reply : Buffer.from(serialize(reply)), call.context.clock.replyFields());
  } catch (error) {
    const reply = errorReply(withRetryLabel(call, toCommandError(error)));
    return Buffer.from(serialize({ ...reply, ...call.context.clock.replyFields() }));
  }
}

/** Applies the modes in which the server ignores a feature, as some servers do that are not MongoDB. */
function pretending(call: Call): Call {
  const { command, context } = call;
  const ignores = (name: string): boolean => context.failPoints.isActive(name);
  const snapshot = ignores(FAIL_POINT.ignoreSnapshots) && !command.inTransaction ? undefined : command.snapshot;
  if (!command.inTransaction || !ignores(FAIL_POINT.ignoreTransactions))
    return { ...call, command: { ...command, snapshot } };
  const name = ENDS_TRANSACTION.has(command.name) ? 'ping' : command.name;
  const outside = { name, inTransaction: false, startTransaction: false, txnNumber: undefined, snapshot: undefined };
  return { ...call, command: { ...command, ...outside } };
}

const ENDS_TRANSACTION: ReadonlySet<string> = new Set(['commitTransaction', 'abortTransaction']);

/** Labels an error of a retryable write, so that the driver repeats the write after a lost connection. */
function withRetryLabel({ command }: Call, error: CommandError): CommandError {
  const isRetryable = command.txnNumber !== undefined && !command.inTransaction;
  if (!isRetryable || error.code !== CODE.hostUnreachable) return error;
  return new CommandError(error.code, error.message, { labels: [LABEL.retryableWrite], cause: error });
}
