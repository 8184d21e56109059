import { setTimeout as sleep } from 'node:timers/promises';
import { CODE, CommandError, isConflict } from './errors.js';
import type { Call } from './context.js';
import { executeInTransaction } from './execution-in-transaction.js';
import { CONFLICT_BACKOFF_FIRST_MS, CONFLICT_BACKOFF_MAX_MS, CONFLICT_RETRIES_MAX } from './limits.js';
import { type Pool, PoolTimeoutError } from './postgres/pool.js';
import type { Row, Statement, Step } from './postgres/protocol.js';

export type Values = readonly (Buffer | string | null)[];

/** Runs one statement, in the transaction of the command if it has one, and returns the first row. */
export async function execute(call: Call, statement: Statement, values: Values): Promise<Row> {
  const rows = await executeAll(call, { statement, values });
  const [row] = rows;
  if (row === undefined) throw new CommandError(CODE.internalError, `${statement.name} returned no row`);
  return row;
}

/** Returns the first column of a row, which is the BSON reply. */
export function bytesOf([reply]: Row): Buffer {
  if (reply === undefined || reply === null)
    throw new CommandError(CODE.internalError, 'DocumentDB returned no document');
  return reply;
}

function executeAll(call: Call, step: Step): Promise<Row[]> {
  const { command, context } = call;
  if (command.inTransaction) return executeInTransaction(call, step);
  if (call.snapshotTime !== undefined && command.session !== undefined)
    return context.snapshots.read(command.session, call.snapshotTime, command.db, step);
  return executeOutsideTransaction(call, step);
}

/**
 * DocumentDB runs a batch of writes as one PostgreSQL statement that keeps its locks to the end, so batches in opposite
 * orders deadlock. Repeated attempts on one collection run one after another, or they would deadlock again.
 */
async function executeOutsideTransaction({ command, context }: Call, step: Step): Promise<Row[]> {
  const { pool, conflictQueue } = context;
  for (let attempt = 0; ; attempt += 1) {
    try {
      if (attempt === 0) return await runOn(pool, step);
      return await conflictQueue.run(`${command.db}.${command.target}`, () => runOn(pool, step));
    } catch (error) {
      if (!isConflict(error) || attempt >= CONFLICT_RETRIES_MAX) throw error;
    }
    await sleep(backoffMs(attempt));
  }
}

async function runOn(pool: Pool, step: Step): Promise<Row[]> {
  const connection = await acquire(pool);
  try {
    const results = await connection.run([step]);
    return results[0]?.rows ?? [];
  } finally {
    pool.release(connection);
  }
}

async function acquire(pool: Pool) {
  try {
    return await pool.acquire();
  } catch (error) {
    if (!(error instanceof PoolTimeoutError)) throw error;
    throw new CommandError(CODE.networkTimeLimit, error.message, { cause: error });
  }
}

/** Exponential backoff with jitter, so that two conflicting writes do not retry at the same time. */
function backoffMs(attempt: number): number {
  const fullMs = Math.min(CONFLICT_BACKOFF_MAX_MS, CONFLICT_BACKOFF_FIRST_MS * 2 ** attempt);
  return fullMs * (0.5 + Math.random() / 2);
}

/** Rolls back the transaction of the command after failed writes, as MongoDB does. */
export async function failTransaction({ command, context, owner }: Call): Promise<void> {
  if (command.inTransaction) await context.transactions.fail(context.transactions.find(command, owner));
}
