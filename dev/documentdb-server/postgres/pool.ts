import { setTimeout as sleep } from 'node:timers/promises';
import { CONNECT_RETRY_MS, POOL_WAIT_MS, STOP_GRACE_MS } from '../limits.js';
import { Connection, type ConnectionOptions } from './connection.js';
import { ConnectionLostError } from './protocol.js';

interface Waiter {
  resolve: (connection: Connection) => void;
  reject: (error: Error) => void;
  timer: NodeJS.Timeout;
}

export class PoolTimeoutError extends Error {}

/** Opens PostgreSQL connections when they are needed and prefers the most recently used one. */
export class Pool {
  readonly #options: ConnectionOptions;
  readonly #connectionsMax: number;
  readonly #idle: Connection[] = [];
  readonly #all = new Set<Connection>();
  readonly #waiters = new Set<Waiter>();
  #opening = 0;
  #isClosed = false;

  constructor(options: ConnectionOptions & { connectionsMax: number }) {
    this.#options = options;
    this.#connectionsMax = options.connectionsMax;
  }

  /** The number of connections, including idle ones and those being opened. */
  get size(): number {
    return this.#all.size + this.#opening;
  }

  /** Returns a connection that belongs to the caller until `release`. */
  acquire(): Promise<Connection> {
    if (this.#isClosed) return Promise.reject(new ConnectionLostError('the server is stopping'));
    const idle = this.#idle.pop();
    if (idle !== undefined) return Promise.resolve(idle);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        reject(new PoolTimeoutError(`no PostgreSQL connection became free within ${POOL_WAIT_MS} ms`));
      }, POOL_WAIT_MS);
      const waiter: Waiter = { resolve, reject, timer };
      this.#waiters.add(waiter);
      this.#openIfNeeded();
    });
  }

  /** Ends a connection that has failed or is still in a transaction instead of reusing it. */
  release(connection: Connection): void {
    if (!connection.isReusable || this.#isClosed) return connection.end();
    const waiter = this.#nextWaiter();
    if (waiter === undefined) this.#idle.push(connection);
    else waiter.resolve(connection);
  }

  /** Rejects waiting callers, cancels running statements, and ends every connection after a grace period. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (let waiter = this.#nextWaiter(); waiter !== undefined; waiter = this.#nextWaiter()) {
      waiter.reject(new ConnectionLostError('the server is stopping'));
    }
    for (const connection of this.#idle.splice(0)) connection.end();
    for (const connection of this.#all) connection.cancel();
    const deadline = Date.now() + STOP_GRACE_MS;
    while (this.size > 0 && Date.now() < deadline) await sleep(CONNECT_RETRY_MS / 10);
    for (const connection of this.#all) connection.end();
  }

  #nextWaiter(): Waiter | undefined {
    for (const waiter of this.#waiters) {
      this.#waiters.delete(waiter);
      clearTimeout(waiter.timer);
      return waiter;
    }
    return undefined;
  }

  #openIfNeeded(): void {
    if (this.#isClosed || this.size >= this.#connectionsMax || this.#opening >= this.#waiters.size) return;
    this.#opening += 1;
    void this.#open();
  }

  /** Repeats failed attempts as long as a caller waits, because a restarting PostgreSQL refuses connections. */
  async #open(): Promise<void> {
    try {
      const connection = await Connection.open(this.#options);
      connection.onClosed = () => this.#remove(connection);
      this.#all.add(connection);
      this.#opening -= 1;
      this.release(connection);
    } catch {
      await sleep(CONNECT_RETRY_MS);
      this.#opening -= 1;
    }
    this.#openIfNeeded();
  }

  #remove(connection: Connection): void {
    this.#all.delete(connection);
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
    this.#openIfNeeded();
  }
}
