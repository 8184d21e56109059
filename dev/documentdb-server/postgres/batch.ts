import type { Socket } from 'node:net';
import { COPY_BYTES_MAX } from '../limits.js';
import { RowLockedError, type PostgresError, type StepResult } from './protocol.js';

const QUERY_CANCELLED = '57014';

/** Steps that were sent to PostgreSQL in one message, and their results so far. */
export interface Batch {
  /** Names of the statements that the batch prepares and PostgreSQL has not yet confirmed. */
  parsing: string[];
  results: StepResult[];
  rows: StepResult['rows'];
  /** Cancels the batch, because it waits for a row of another open transaction. */
  cancelling: Promise<void> | undefined;
  error: PostgresError | undefined;
  resolve: (results: StepResult[]) => void;
  reject: (error: Error) => void;
}

export function newBatch(parsing: string[], resolve: Batch['resolve'], reject: Batch['reject']): Batch {
  return { parsing, results: [], rows: [], cancelling: undefined, error: undefined, resolve, reject };
}

/** Reports the end of a batch to its caller. */
export function settle({ error, cancelling, results, resolve, reject }: Batch): void {
  if (error === undefined) return resolve(results);
  const wasLocked = cancelling !== undefined && error.code === QUERY_CANCELLED;
  reject(wasLocked ? new RowLockedError('the row is locked', { cause: error }) : error);
}

/** Copies small parts into one buffer, because each write is a system call. */
export function writeParts(socket: Socket, parts: Buffer[]): void {
  if (parts.every(({ length }) => length <= COPY_BYTES_MAX)) {
    socket.write(Buffer.concat(parts));
    return;
  }
  socket.cork();
  for (const part of parts) socket.write(part);
  socket.uncork();
}
