import { setTimeout as sleep } from 'node:timers/promises';
import { CODE, CommandError, inTransaction, isConflict, toCommandError } from './errors.js';
import type { Call } from './front.js';
import { CONFLICT_BACKOFF_FIRST_MS, CONFLICT_BACKOFF_MAX_MS, CONFLICT_RETRIES_MAX } from './limits.js';
import { type Pool, PoolTimeoutError } from './postgres/pool.js';
import type { Row, Statement, Step } from './postgres/protocol.js';
import { SQL } from './postgres/sql.js';
import type { Transaction } from './state/transactions.js';

export type Values = readonly (Buffer | string | null)[];

/** Runs one statement where the command belongs, in its transaction or by itself, and answers its first row. */
export async function execute(call: Call, statement: Statement, values: Values): Promise<Row> {
  const rows = await executeAll(call, { statement, values });
  const [row] = rows;
  if (row === undefined) throw new CommandError(CODE.internalError, `${statement.name} answered no row`);
  return row;
}

/** A row's first column, where that is the whole answer. */
export function bytesOf([answer]: Row): Buffer {
  if (answer === undefined || answer === null)
    throw new CommandError(CODE.internalError, 'an answer without a document');
  return answer;
}

function executeAll(call: Call, step: Step): Promise<Row[]> {
  return call.command.inTransaction ? executeInTransaction(call, step) : executeAlone(call, step);
}

/**
 * DocumentDB runs a batch of writes as one PostgreSQL statement that keeps its locks to the end, so batches in opposite
 * orders deadlock. Who lost waits in a lane of its collection: losers set loose together would only meet again.
 */
async function executeAlone({ command, front }: Call, step: Step): Promise<Row[]> {
  const { pool, lanes } = front;
  for (let attempt = 0; ; attempt += 1) {
    try {
      if (attempt === 0) return await runOn(pool, step);
      return await lanes.run(`${command.db}.${command.target}`, () => runOn(pool, step));
    } catch (error) {
      if (!isConflict(error) || attempt >= CONFLICT_RETRIES_MAX) throw error;
    }
    await sleep(backoffMs(attempt));
  }
}

async function runOn(pool: Pool, step: Step): Promise<Row[]> {
  const link = await takeLink(pool);
  try {
    const results = await link.run([step]);
    return results[0]?.rows ?? [];
  } finally {
    pool.give(link);
  }
}

async function takeLink(pool: Pool) {
  try {
    return await pool.take();
  } catch (error) {
    if (!(error instanceof PoolTimeoutError)) throw error;
    throw new CommandError(CODE.networkTimeLimit, error.message, { cause: error });
  }
}

/** Doubling, and somewhere between half and whole of it, so that two who met do not meet again. */
function backoffMs(attempt: number): number {
  const whole = Math.min(CONFLICT_BACKOFF_MAX_MS, CONFLICT_BACKOFF_FIRST_MS * 2 ** attempt);
  return whole * (0.5 + Math.random() / 2);
}

async function executeInTransaction(call: Call, step: Step): Promise<Row[]> {
  const { command, front, owner } = call;
  const { transactions } = front;
  const transaction = command.startTransaction ? transactions.start(command, owner) : transactions.find(command, owner);
  transaction.running += 1;
  const outcome = await runInTransaction(transaction, step).then(
    (rows) => ({ rows }),
    (error: unknown) => ({ error }),
  );
  transaction.running -= 1;
  transaction.lastUsedAt = Date.now();
  if ('rows' in outcome) return outcome.rows;
  await transactions.fail(transaction);
  throw inTransaction(toCommandError(outcome.error));
}

/** The first statement takes BEGIN along, so that starting a transaction costs no round trip of its own. */
async function runInTransaction(transaction: Transaction, step: Step): Promise<Row[]> {
  const link = await transaction.link;
  const steps = transaction.begun ? [step] : [{ statement: SQL.begin }, { statement: SQL.lockWait }, step];
  transaction.begun = true;
  const results = await link.run(steps);
  return results.at(-1)?.rows ?? [];
}

/** Ends the command's transaction after an answer that reports failed writes: MongoDB goes no further in it either. */
export async function failTransaction({ command, front, owner }: Call): Promise<void> {
  if (command.inTransaction) await front.transactions.fail(front.transactions.find(command, owner));
}
