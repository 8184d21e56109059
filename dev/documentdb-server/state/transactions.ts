import { CODE, CommandError, inTransaction, LABEL, toCommandError } from '../errors.js';
import { SESSIONS_MAX } from '../limits.js';
import type { Link } from '../postgres/link.js';
import type { Pool } from '../postgres/pool.js';
import { SQL } from '../postgres/sql.js';
import { BoundedMap } from './bounded-map.js';

/**
 * A transaction of several statements owns one PostgreSQL connection from its first statement until it ends.
 * "The owner" is the client socket that spoke in it last: drivers may use several, and the last one to go ends it.
 */
export interface Transaction {
  readonly session: string;
  readonly number: bigint;
  readonly link: Promise<Link>;
  /** Whether BEGIN has been sent. */
  begun: boolean;
  owner: object;
  lastUsedAt: number;
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
  /** How each session's last transaction ended: a driver sends its commit again when the first answer was lost. */
  readonly #ended = new BoundedMap<string, Outcome>(SESSIONS_MAX);

  constructor(pool: Pool, lifetimeMs: number) {
    this.#pool = pool;
    this.#lifetimeMs = lifetimeMs;
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** Starts a transaction; an older one of the same session is rolled back, as MongoDB does. */
  start({ session, txnNumber }: TransactionId, owner: object): Transaction {
    if (session === undefined || txnNumber === undefined)
      throw new CommandError(CODE.badValue, 'a transaction needs an lsid and a txnNumber');
    const older = this.#open.get(session);
    const newest = older?.number ?? this.#ended.get(session)?.number ?? -1n;
    if (txnNumber < newest) throw tooOld(txnNumber, newest);
    if (txnNumber === newest) throw startedBefore(txnNumber);
    if (older !== undefined) void this.#rollBack(older);
    const link = this.#pool.take();
    // A failure to connect is reported by the first statement, which awaits the same promise.
    link.catch(() => undefined);
    const transaction = { session, number: txnNumber, link, begun: false, owner, lastUsedAt: Date.now(), running: 0 };
    this.#open.set(session, transaction);
    return transaction;
  }

  find({ session = '', txnNumber }: TransactionId, owner: object): Transaction {
    const transaction = this.#open.get(session);
    if (transaction === undefined || transaction.number !== txnNumber) throw this.#missing(session, txnNumber);
    transaction.owner = owner;
    return transaction;
  }

  async commit(id: TransactionId, owner: object): Promise<void> {
    const last = this.#ended.get(id.session ?? '');
    if (last !== undefined && last.number === id.txnNumber && last.committed) return;
    const transaction = this.find(id, owner);
    this.#open.delete(transaction.session);
    const link = await transaction.link;
    try {
      if (transaction.begun) await this.#commitOn(link);
      this.#ended.set(transaction.session, { number: transaction.number, committed: true });
    } catch (error) {
      this.#ended.set(transaction.session, { number: transaction.number, committed: false });
      throw commitError(toCommandError(error));
    } finally {
      this.#pool.give(link);
    }
  }

  async abort(id: TransactionId, owner: object): Promise<void> {
    await this.#rollBack(this.find(id, owner));
  }

  /** Ends a transaction after a statement of it failed, as MongoDB does. */
  async fail(transaction: Transaction): Promise<void> {
    if (this.#open.get(transaction.session) === transaction) await this.#rollBack(transaction);
  }

  /** The client socket `owner` is gone. */
  abandon(owner: object): void {
    for (const transaction of this.#open.values()) if (transaction.owner === owner) void this.#rollBack(transaction);
  }

  endSession(session: string): void {
    const transaction = this.#open.get(session);
    if (transaction !== undefined) void this.#rollBack(transaction);
  }

  sweep(now: number): void {
    for (const transaction of this.#open.values()) {
      if (transaction.running === 0 && now - transaction.lastUsedAt > this.#lifetimeMs)
        void this.#rollBack(transaction);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((transaction) => this.#rollBack(transaction)));
  }

  async #commitOn(link: Link): Promise<void> {
    const [result] = await link.run([{ statement: SQL.commit }]);
    if (result?.tag !== 'COMMIT') throw new CommandError(CODE.noSuchTransaction, 'Transaction has been aborted.');
  }

  /** Never throws: whatever happens, the connection goes back to the pool, which ends it if it is not clean. */
  async #rollBack(transaction: Transaction): Promise<void> {
    this.#open.delete(transaction.session);
    this.#ended.set(transaction.session, { number: transaction.number, committed: false });
    const link = await transaction.link.catch(() => undefined);
    if (link === undefined) return;
    if (transaction.running > 0) link.cancel();
    if (transaction.begun) await link.run([{ statement: SQL.rollback }]).catch(() => undefined);
    this.#pool.give(link);
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

function startedBefore(number: bigint): CommandError {
  const message = `Cannot start a transaction at given transaction number ${number}: one with the same number was there before.`;
  return new CommandError(CODE.conflictingOperation, message);
}

function tooOld(number: bigint, newest: bigint): CommandError {
  return new CommandError(
    CODE.transactionTooOld,
    `Cannot start transaction ${number}: transaction ${newest} has already started.`,
  );
}

/** After a lost connection nobody knows whether the commit happened: the driver may ask again, not run it again. */
function commitError(error: CommandError): CommandError {
  if (error.code !== CODE.hostUnreachable) return inTransaction(error);
  return new CommandError(error.code, error.message, {
    labels: [LABEL.retryableWrite, LABEL.unknownCommit],
    cause: error,
  });
}
