import type { Document } from 'bson';
import { ConnectionLostError, PostgresError, RowLockedError } from './postgres/protocol.js';
import { codeName, codeOfSqlState } from './protocol/error-codes.js';

export const CODE = {
  internalError: 1,
  badValue: 2,
  hostUnreachable: 6,
  unknownError: 8,
  failedToParse: 9,
  unauthorized: 13,
  lockTimeout: 24,
  namespaceNotFound: 26,
  cursorNotFound: 43,
  maxTimeMsExpired: 50,
  commandNotFound: 59,
  writeConflict: 112,
  commandNotSupported: 115,
  conflictingOperation: 117,
  exceededMemoryLimit: 146,
  networkTimeLimit: 202,
  transactionTooOld: 225,
  failPointSetFailed: 186,
  snapshotTooOld: 239,
  noSuchTransaction: 251,
  transactionCommitted: 256,
  notSupportedInTransaction: 263,
  duplicateKey: 11_000,
  interruptedAtShutdown: 11_600,
  interrupted: 11_601,
  outOfDiskSpace: 14_031,
} as const;

export const LABEL = {
  transient: 'TransientTransactionError',
  retryableWrite: 'RetryableWriteError',
  unknownCommit: 'UnknownTransactionCommitResult',
} as const;

/** An error in the form that MongoDB drivers expect. */
export class CommandError extends Error {
  readonly code: number;
  readonly labels: readonly string[];
  /** Further fields of the reply, such as `keyPattern` for a duplicate key. */
  readonly fields: Document;

  constructor(
    code: number,
    message: string,
    extra: { labels?: readonly string[]; fields?: Document; cause?: unknown } = {},
  ) {
    super(message, { cause: extra.cause });
    this.code = code;
    this.labels = extra.labels ?? [];
    this.fields = extra.fields ?? {};
  }
}

/** MongoDB's codes for the SQLSTATEs of PostgreSQL itself. */
const CODES_BY_SQLSTATE = new Map<string, number>([
  ['0A000', CODE.commandNotSupported],
  ['22023', CODE.badValue],
  ['22P02', CODE.failedToParse],
  ['23505', CODE.duplicateKey],
  ['23P01', CODE.duplicateKey],
  ['25P02', CODE.noSuchTransaction],
  ['40001', CODE.writeConflict],
  ['40P01', CODE.writeConflict],
  ['42501', CODE.unauthorized],
  ['42P01', CODE.namespaceNotFound],
  ['53100', CODE.outOfDiskSpace],
  ['53200', CODE.exceededMemoryLimit],
  ['53300', CODE.hostUnreachable],
  ['55P03', CODE.lockTimeout],
  ['57014', CODE.maxTimeMsExpired],
  ['57P01', CODE.hostUnreachable],
  ['57P02', CODE.hostUnreachable],
  ['57P03', CODE.hostUnreachable],
]);

const MESSAGES = new Map<number, string>([
  [CODE.maxTimeMsExpired, 'operation exceeded time limit'],
  [CODE.noSuchTransaction, 'Transaction has been aborted.'],
]);

export function codeOf(sqlState: string): number {
  return codeOfSqlState(sqlState) ?? CODES_BY_SQLSTATE.get(sqlState) ?? CODE.unknownError;
}

/** Another transaction has created the collection or its database since the snapshot of this transaction. */
const CREATED_CONCURRENTLY = /^Unable to create (metadata database sentinel|the specified) collection/;

function codeOfError({ code, message }: PostgresError): number {
  return CREATED_CONCURRENTLY.test(message) ? CODE.writeConflict : codeOf(code);
}

/** True when another writer caused the error, so that a repeated attempt may succeed. */
export function isConflict(error: unknown): boolean {
  return error instanceof PostgresError && codeOfError(error) === CODE.writeConflict;
}

export function writeConflict(cause?: unknown): CommandError {
  const message =
    'WriteConflict error: this operation conflicted with another operation. Please retry your operation or multi-document transaction.';
  return new CommandError(CODE.writeConflict, message, { cause });
}

export function toCommandError(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  if (error instanceof RowLockedError) return writeConflict(error);
  if (error instanceof ConnectionLostError)
    return new CommandError(CODE.hostUnreachable, error.message, { cause: error });
  if (error instanceof PostgresError) {
    if (error.message.includes('user request'))
      return new CommandError(CODE.interruptedAtShutdown, 'interrupted', { cause: error });
    const code = codeOfError(error);
    if (code === CODE.writeConflict) return writeConflict(error);
    if (code === CODE.duplicateKey)
      return new CommandError(code, `E11000 duplicate key error: ${error.message}`, { cause: error });
    return new CommandError(code, MESSAGES.get(code) ?? error.message, { cause: error });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new CommandError(CODE.internalError, message, { cause: error });
}

const TRANSIENT_CODES: readonly number[] = [
  CODE.lockTimeout,
  CODE.writeConflict,
  CODE.noSuchTransaction,
  CODE.hostUnreachable,
  CODE.networkTimeLimit,
];

/** Labels an error of a transaction, so that drivers know whether to repeat the whole transaction. */
export function inTransaction(error: CommandError): CommandError {
  if (!TRANSIENT_CODES.includes(error.code)) return error;
  const { code, message, fields } = error;
  return new CommandError(code, message, { labels: [LABEL.transient], fields, cause: error });
}

export function errorReply({ message, code, labels, fields }: CommandError): Document {
  const errorLabels = labels.length > 0 ? { errorLabels: labels } : {};
  return { ok: 0, errmsg: message, code, codeName: codeName(code), ...fields, ...errorLabels };
}
