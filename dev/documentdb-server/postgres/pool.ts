import { setTimeout as sleep } from 'node:timers/promises';
import { CONNECT_RETRY_MS, POOL_WAIT_MS, STOP_GRACE_MS } from '../limits.js';
import { Link, type LinkOptions } from './link.js';
import { LinkLostError } from './protocol.js';

interface Waiter {
  resolve: (link: Link) => void;
  reject: (error: Error) => void;
  timer: NodeJS.Timeout;
}

/** No connection became free, or none could be opened, in time. */
export class PoolTimeoutError extends Error {}

/** Connections to PostgreSQL, opened when needed, the most recently used handed out first. */
export class Pool {
  readonly #options: LinkOptions;
  readonly #connectionsMax: number;
  readonly #idle: Link[] = [];
  readonly #all = new Set<Link>();
  readonly #waiters = new Set<Waiter>();
  #opening = 0;
  #closed = false;

  constructor(options: LinkOptions & { connectionsMax: number }) {
    this.#options = options;
    this.#connectionsMax = options.connectionsMax;
  }

  /** Connections open or being opened, idle ones included. */
  get size(): number {
    return this.#all.size + this.#opening;
  }

  /** A connection for the caller alone, until `give`. */
  take(): Promise<Link> {
    if (this.#closed) return Promise.reject(new LinkLostError('the front is stopping'));
    const idle = this.#idle.pop();
    if (idle !== undefined) return Promise.resolve(idle);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        reject(new PoolTimeoutError(`no connection to PostgreSQL became free within ${POOL_WAIT_MS} ms`));
      }, POOL_WAIT_MS);
      const waiter: Waiter = { resolve, reject, timer };
      this.#waiters.add(waiter);
      this.#openIfNeeded();
    });
  }

  /** Hands a connection back. One still in a transaction or gone wrong is ended, never handed on. */
  give(link: Link): void {
    if (!link.free || this.#closed) return link.end();
    const waiter = this.#nextWaiter();
    if (waiter === undefined) this.#idle.push(link);
    else waiter.resolve(link);
  }

  /** Refuses who waits, cuts off what runs after a grace time, and ends every connection. */
  async close(): Promise<void> {
    this.#closed = true;
    for (let waiter = this.#nextWaiter(); waiter !== undefined; waiter = this.#nextWaiter()) {
      waiter.reject(new LinkLostError('the front is stopping'));
    }
    for (const link of this.#idle.splice(0)) link.end();
    for (const link of this.#all) link.cancel();
    const deadline = Date.now() + STOP_GRACE_MS;
    while (this.size > 0 && Date.now() < deadline) await sleep(CONNECT_RETRY_MS / 10);
    for (const link of this.#all) link.end();
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
    if (this.#closed || this.size >= this.#connectionsMax || this.#opening >= this.#waiters.size) return;
    this.#opening += 1;
    void this.#open();
  }

  /** A server that restarts refuses for a while: keeps trying for as long as somebody waits. */
  async #open(): Promise<void> {
    try {
      const link = await Link.open(this.#options);
      link.onLost = () => this.#forget(link);
      this.#all.add(link);
      this.#opening -= 1;
      this.give(link);
    } catch {
      await sleep(CONNECT_RETRY_MS);
      this.#opening -= 1;
    }
    this.#openIfNeeded();
  }

  #forget(link: Link): void {
    this.#all.delete(link);
    const at = this.#idle.indexOf(link);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#openIfNeeded();
  }
}
