import type { Timestamp } from 'bson';
import { CODE, CommandError } from '../errors.js';
import { SNAPSHOT_IDLE_MS, SNAPSHOTS_MAX } from '../limits.js';
import type { Connection } from '../postgres/connection.js';
import type { Pool } from '../postgres/pool.js';
import type { Row, Step } from '../postgres/protocol.js';
import { SQL } from '../postgres/sql.js';

interface Snapshot {
  readonly time: Timestamp;
  readonly connection: Promise<Connection>;
  /** The names of the databases that it has read. PostgreSQL keeps locks on their tables until the snapshot ends. */
  readonly databases: Set<string>;
  lastUsedAt: number;
}

/** The snapshots of sessions that read with `readConcern: { level: 'snapshot' }`: one PostgreSQL transaction each. */
export class Snapshots {
  readonly #pool: Pool;
  /** The snapshots by session. The least recently used one is first. */
  readonly #open = new Map<string, Snapshot>();

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** Opens a snapshot, which replaces the earlier one of the session. */
  async open(session: string, time: Timestamp): Promise<void> {
    await this.end(session);
    const [oldest] = this.#open.keys();
    if (oldest !== undefined && this.#open.size >= SNAPSHOTS_MAX) await this.end(oldest);
    const connection = this.#pool.acquire();
    this.#open.set(session, { time, connection, databases: new Set(), lastUsedAt: Date.now() });
    await (await connection).run([{ statement: SQL.begin }]);
  }

  /** Runs a read in the snapshot. A snapshot that was closed is too old. */
  async read(session: string, time: Timestamp, database: string, step: Step): Promise<Row[]> {
    const snapshot = this.#open.get(session);
    if (snapshot?.time.equals(time) !== true)
      throw new CommandError(CODE.snapshotTooOld, 'Read timestamp is older than the oldest available timestamp.');
    this.#open.delete(session);
    this.#open.set(session, { ...snapshot, lastUsedAt: Date.now() });
    snapshot.databases.add(database);
    try {
      const results = await (await snapshot.connection).run([step]);
      return results.at(-1)?.rows ?? [];
    } catch (error) {
      await this.end(session);
      throw error;
    }
  }

  /** Never throws. The pool ends the connection if the rollback failed. */
  async end(session: string): Promise<void> {
    const snapshot = this.#open.get(session);
    this.#open.delete(session);
    const connection = await snapshot?.connection.catch(() => undefined);
    if (connection === undefined) return;
    await connection.run([{ statement: SQL.rollback }]).catch(() => undefined);
    this.#pool.release(connection);
  }

  endIdle(now: number): void {
    for (const [session, { lastUsedAt }] of this.#open) if (now - lastUsedAt > SNAPSHOT_IDLE_MS) void this.end(session);
  }

  /** Ends every snapshot that has read this database. */
  async endOf(database: string): Promise<void> {
    const reading = [...this.#open].filter(([, { databases }]) => databases.has(database));
    await Promise.all(reading.map(([session]) => this.end(session)));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((session) => this.end(session)));
  }
}
