import { serialize } from 'bson';
import { EXPLAIN_COMMANDS } from './commands/explain.js';
import { READ_COMMANDS } from './commands/read.js';
import { SCHEMA_COMMANDS } from './commands/schema.js';
import { SERVER_COMMANDS } from './commands/server.js';
import { SESSION_COMMANDS } from './commands/session.js';
import { WRITE_COMMANDS } from './commands/write.js';
import { CODE, CommandError, errorAnswer, LABEL, toCommandError } from './errors.js';
import type { Call, Handler } from './front.js';

const HANDLERS = new Map<string, Handler>(
  [SERVER_COMMANDS, READ_COMMANDS, WRITE_COMMANDS, SCHEMA_COMMANDS, SESSION_COMMANDS, EXPLAIN_COMMANDS].flatMap(
    (commands) => Object.entries(commands),
  ),
);

/** Runs the command and answers its bytes. Never throws: whatever goes wrong becomes MongoDB's error answer. */
export async function dispatch(call: Call): Promise<Buffer> {
  try {
    const { name } = call.command;
    const handler = HANDLERS.get(name);
    if (handler === undefined) throw new CommandError(CODE.commandNotFound, `no such command: '${name}'`);
    const answer = await handler(call);
    return Buffer.isBuffer(answer) ? answer : Buffer.from(serialize(answer));
  } catch (error) {
    return Buffer.from(serialize(errorAnswer(forWrite(call, toCommandError(error)))));
  }
}

/** A write the driver numbered may be sent again when the database was lost under it. */
function forWrite({ command }: Call, error: CommandError): CommandError {
  const numbered = command.txnNumber !== undefined && !command.inTransaction;
  if (!numbered || error.code !== CODE.hostUnreachable) return error;
  return new CommandError(error.code, error.message, { labels: [LABEL.retryableWrite], cause: error });
}
