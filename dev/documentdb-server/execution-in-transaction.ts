import type { Call } from './context.js';
import { CODE, CommandError, inTransaction, toCommandError } from './errors.js';
import { RowLockedError, type Row, type Step } from './postgres/protocol.js';
import { BATCH_WRITES, SQL } from './postgres/sql.js';
import type { Transaction } from './state/transactions.js';

/** Runs a statement of a transaction and returns its rows. Rolls back the transaction when the statement fails. */
export async function executeInTransaction({ command, context, owner }: Call, step: Step): Promise<Row[]> {
  const { transactions } = context;
  const transaction = command.startTransaction ? transactions.start(command, owner) : transactions.find(command, owner);
  transaction.running += 1;
  const outcome = await runInTransaction(transaction, step).then(
    (rows) => ({ rows }),
    (error: unknown) => ({ error }),
  );
  transaction.running -= 1;
  transaction.lastUsedAt = Date.now();
  if ('rows' in outcome) return outcome.rows;
  if (!transactions.isOpen(transaction)) throw new CommandError(CODE.interrupted, 'operation was interrupted');
  await transactions.fail(transaction);
  throw inTransaction(toCommandError(outcome.error));
}

/** Sends BEGIN together with the first statement, which saves a round trip. */
async function runInTransaction(transaction: Transaction, step: Step): Promise<Row[]> {
  const connection = await transaction.connection;
  const steps = transaction.begun ? [step] : [{ statement: SQL.begin }, step];
  transaction.begun = true;
  const result = (await connection.run(steps)).at(-1);
  if (result === undefined) throw new CommandError(CODE.internalError, `${step.statement.name} returned no result`);
  // DocumentDB reports the cancelled statement of a batch in its reply, without an error of PostgreSQL.
  const failed = BATCH_WRITES.has(step.statement) && result.rows[0]?.[1]?.[0] !== 1;
  if (failed && result.waitedForRow) throw new RowLockedError('a document of the batch is locked');
  return result.rows;
}
