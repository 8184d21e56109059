import QuickLRU from 'quick-lru';
import { CODE, CommandError, inTransaction, LABEL, toCommandError } from '../errors.js';
import { SESSIONS_MAX } from '../limits.js';
import type { Connection } from '../postgres/connection.js';
import type { Pool } from '../postgres/pool.js';
import { SQL } from '../postgres/sql.js';

/** A transaction of several statements. It uses one PostgreSQL connection from its first statement to its end. */
export interface Transaction {
  readonly session: string;
  readonly number: bigint;
  readonly connection: Promise<Connection>;
  /** Whether BEGIN has been sent. */
  begun: boolean;
  /** The client socket that sent the last statement. A driver may use several sockets for one transaction. */
  owner: object;
  lastUsedAt: number;
  /** The number of running statements. */
  running: number;
}

interface Outcome {
  number: bigint;
  committed: boolean;
}

export interface TransactionId {
  session: string | undefined;
  txnNumber: bigint | undefined;
}

export class Transactions {
  readonly #pool: Pool;
  readonly #lifetimeMs: number;
  readonly #open = new Map<string, Transaction>();
  /** The outcome of each session's last transaction. A driver repeats a commit when it has lost the reply. */
  readonly #ended = new QuickLRU<string, Outcome>({ maxSize: SESSIONS_MAX });

  constructor(pool: Pool, lifetimeMs: number) {
    this.#pool = pool;
    this.#lifetimeMs = lifetimeMs;
  }

  get openSessions(): string[] {
    return [...this.#open.keys()];
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** Starts a transaction. Rolls back an older transaction of the session, as MongoDB does. */
  start({ session, txnNumber }: TransactionId, owner: object): Transaction {
    if (session === undefined || txnNumber === undefined)
      throw new CommandError(CODE.badValue, 'a transaction requires lsid and txnNumber');
    const older = this.#open.get(session);
    const newest = older?.number ?? this.#ended.get(session)?.number ?? -1n;
    if (txnNumber < newest) throw tooOld(txnNumber, newest);
    if (txnNumber === newest) throw numberAlreadyUsed(txnNumber);
    // The first statement must not meet the locks of the older transaction.
    const released = older === undefined ? Promise.resolve() : this.#rollBack(older);
    const connection = released.then(() => this.#pool.acquire());
    // The first statement awaits the same promise and reports a failure to connect.
    connection.catch(() => undefined);
    const transaction = {
      session,
      number: txnNumber,
      connection,
      begun: false,
      owner,
      lastUsedAt: Date.now(),
      running: 0,
    };
    this.#open.set(session, transaction);
    return transaction;
  }

  find({ session = '', txnNumber }: TransactionId, owner: object): Transaction {
    const transaction = this.#open.get(session);
    if (transaction === undefined || transaction.number !== txnNumber) throw this.#missing(session, txnNumber);
    transaction.owner = owner;
    return transaction;
  }

  /** Returns false after the transaction has ended, for example because its session was killed. */
  isOpen(transaction: Transaction): boolean {
    return this.#open.get(transaction.session) === transaction;
  }

  async commit(id: TransactionId, owner: object): Promise<void> {
    const last = this.#ended.get(id.session ?? '');
    if (last !== undefined && last.number === id.txnNumber && last.committed) return;
    const transaction = this.find(id, owner);
    this.#open.delete(transaction.session);
    const connection = await transaction.connection;
    try {
      if (transaction.begun) await this.#commitOn(connection);
      this.#ended.set(transaction.session, { number: transaction.number, committed: true });
    } catch (error) {
      this.#ended.set(transaction.session, { number: transaction.number, committed: false });
      throw commitError(toCommandError(error));
    } finally {
      this.#pool.release(connection);
    }
  }

  async abort(id: TransactionId, owner: object): Promise<void> {
    await this.#rollBack(this.find(id, owner));
  }

  /** Rolls back a transaction after a failed statement, as MongoDB does. */
  async fail(transaction: Transaction): Promise<void> {
    if (this.isOpen(transaction)) await this.#rollBack(transaction);
  }

  /** Rolls back the transactions of a client socket that has closed. */
  rollBackOf(owner: object): void {
    for (const transaction of this.#open.values()) if (transaction.owner === owner) void this.#rollBack(transaction);
  }

  /** Resolves when the transaction of the session has released its locks. */
  async endSession(session: string): Promise<void> {
    const transaction = this.#open.get(session);
    if (transaction !== undefined) await this.#rollBack(transaction);
  }

  rollBackIdle(now: number): void {
    for (const transaction of this.#open.values()) {
      if (transaction.running === 0 && now - transaction.lastUsedAt > this.#lifetimeMs)
        void this.#rollBack(transaction);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((transaction) => this.#rollBack(transaction)));
  }

  async #commitOn(connection: Connection): Promise<void> {
    const [result] = await connection.run([{ statement: SQL.commit }]);
    if (result?.tag !== 'COMMIT') throw new CommandError(CODE.noSuchTransaction, 'Transaction has been aborted.');
  }

  /** Never throws. The pool ends the connection if the rollback failed. */
  async #rollBack(transaction: Transaction): Promise<void> {
    this.#open.delete(transaction.session);
    this.#ended.set(transaction.session, { number: transaction.number, committed: false });
    const connection = await transaction.connection.catch(() => undefined);
    if (connection === undefined) return;
    if (transaction.running > 0) connection.cancel();
    if (transaction.begun) await connection.run([{ statement: SQL.rollback }]).catch(() => undefined);
    this.#pool.release(connection);
  }

  #missing(session: string, number: bigint | undefined): CommandError {
    const last = this.#ended.get(session);
    if (last?.number === number && last?.committed === true) {
      return new CommandError(CODE.transactionCommitted, `Transaction ${number} has been committed.`);
    }
    if (last?.number === number) return aborted(`Transaction ${number} has been aborted.`);
    return aborted('Given transaction number does not match any in-progress transactions.');
  }
}

function aborted(message: string): CommandError {
  return inTransaction(new CommandError(CODE.noSuchTransaction, message));
}

function numberAlreadyUsed(number: bigint): CommandError {
  const message = `Cannot start transaction ${number}: the session has already used this number.`;
  return new CommandError(CODE.conflictingOperation, message);
}

function tooOld(number: bigint, newest: bigint): CommandError {
  return new CommandError(
    CODE.transactionTooOld,
    `Cannot start transaction ${number}: transaction ${newest} has already started.`,
  );
}

/** After a lost connection the outcome is unknown. The driver may repeat the commit, but not the transaction. */
function commitError(error: CommandError): CommandError {
  if (error.code !== CODE.hostUnreachable) return inTransaction(error);
  return new CommandError(error.code, error.message, {
    labels: [LABEL.retryableWrite, LABEL.unknownCommit],
    cause: error,
  });
}
