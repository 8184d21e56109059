import type { Document, ObjectId, Timestamp } from 'bson';
import type { Canceller } from './postgres/canceller.js';
import type { Pool } from './postgres/pool.js';
import { int64Array } from './postgres/protocol.js';
import type { RetryableWrites } from './postgres/retryable-writes.js';
import { SQL } from './postgres/sql.js';
import type { Command } from './protocol/command.js';
import type { ClusterClock } from './state/cluster-clock.js';
import type { Cursors } from './state/cursors.js';
import type { FailPoints } from './state/fail-points.js';
import type { KeyedQueue } from './state/keyed-queue.js';
import type { Snapshots } from './state/snapshots.js';
import type { Transactions } from './state/transactions.js';

/** The state that all commands share. */
export interface ServerContext {
  readonly pool: Pool;
  /** Connections that each belong to one transaction at a time. */
  readonly transactionPool: Pool;
  readonly canceller: Canceller;
  readonly transactions: Transactions;
  readonly cursors: Cursors;
  readonly clock: ClusterClock;
  readonly snapshots: Snapshots;
  readonly retryableWrites: RetryableWrites;
  /** Runs repeated attempts of conflicting writes to one collection one after another. */
  readonly conflictQueue: KeyedQueue;
  readonly failPoints: FailPoints;
  readonly identity: Identity;
  /** The number of open client sockets. */
  readonly clientCount: () => number;
}

interface Identity {
  readonly host: string;
  port: number;
  readonly processId: ObjectId;
  readonly startedAt: Date;
}

/** One command with its context. */
export interface Call {
  readonly command: Command;
  readonly context: ServerContext;
  /** The client socket that sent the command. */
  readonly owner: object;
  readonly clientId: number;
  /** Set for a read in a snapshot outside transactions. */
  readonly snapshotTime?: Timestamp;
}

/** The BSON bytes from the database, or a document to serialise. */
export type Reply = Buffer | Document;

export type Handler = (call: Call) => Reply | Promise<Reply>;

/** Frees the data that PostgreSQL stores for closed cursors. After a failure, PostgreSQL frees it itself later. */
export async function discardCursors({ pool }: Pick<ServerContext, 'pool'>, ids: readonly bigint[]): Promise<void> {
  if (ids.length === 0) return;
  try {
    const connection = await pool.acquire();
    await connection
      .run([{ statement: SQL.killCursors, values: [int64Array(ids)] }])
      .finally(() => pool.release(connection));
  } catch {
    return;
  }
}
