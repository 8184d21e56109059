import { deserialize, serialize, type Document } from 'bson';
import type { Call, Handler } from '../context.js';
import { CommandError, errorReply, inTransaction, LABEL } from '../errors.js';
import type { Failure, FailPoints } from '../state/fail-points.js';

function configureFailPoint({ command, context }: Call): Document {
  const { mode, data } = deserialize(command.body) as { mode: Parameters<FailPoints['configure']>[1]; data?: Document };
  context.failPoints.configure(command.target, mode, data);
  return { ok: 1 };
}

/** MongoDB labels these errors of retryable writes, commits and aborts. The list is that of the driver specification. */
const RETRYABLE_CODES = [6, 7, 89, 91, 189, 262, 9001, 10_107, 11_600, 11_602, 13_435, 13_436];

/** Returns the error reply of a command that `failCommand` makes fail. */
export function failedCommandReply({ command }: Call, { error }: Failure): Buffer | undefined {
  if (error === undefined) return undefined;
  const message = `Failing command via 'failCommand' failpoint`;
  const plain = new CommandError(error.code, message, { labels: error.labels ?? [] });
  if (error.labels !== undefined) return Buffer.from(serialize(errorReply(plain)));
  const endsTransaction = command.name === 'commitTransaction' || command.name === 'abortTransaction';
  const isRetryable = RETRYABLE_CODES.includes(error.code);
  if (command.inTransaction && !endsTransaction)
    return Buffer.from(serialize(errorReply(isRetryable ? labelled(plain, LABEL.transient) : inTransaction(plain))));
  const isLabelled = isRetryable && command.txnNumber !== undefined;
  return Buffer.from(serialize(errorReply(isLabelled ? labelled(plain, LABEL.retryableWrite) : plain)));
}

function labelled({ code, message }: CommandError, label: string): CommandError {
  return new CommandError(code, message, { labels: [label] });
}

/** Adds a write concern error to the reply of a command that has run. */
export function withWriteConcernError(reply: Buffer, { writeConcernError }: Failure): Buffer {
  if (writeConcernError === undefined) return reply;
  const { errorLabels, ...error } = writeConcernError;
  const labels = errorLabels === undefined ? {} : { errorLabels: errorLabels as unknown };
  const document = deserialize(reply, { promoteLongs: false });
  return Buffer.from(serialize({ ...document, writeConcernError: error, ...labels }));
}

export const FAIL_POINT_COMMANDS: Record<string, Handler> = { configureFailPoint };
