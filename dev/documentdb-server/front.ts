import type { ObjectId } from 'bson';
import { type Document } from 'bson';
import { SQL } from './postgres/sql.js';
import type { Pool } from './postgres/pool.js';
import { int64Array } from './postgres/protocol.js';
import type { Command } from './protocol/command.js';
import type { Cursors } from './state/cursors.js';
import type { Lanes } from './state/lanes.js';
import type { Remembered } from './state/remembered.js';
import type { Transactions } from './state/transactions.js';

/** What every command may use. */
export interface Front {
  readonly pool: Pool;
  /** Connections that belong to one transaction at a time. */
  readonly transactionPool: Pool;
  readonly transactions: Transactions;
  readonly cursors: Cursors;
  readonly remembered: Remembered;
  /** Where writes that met a conflict wait for each other. */
  readonly lanes: Lanes;
  readonly identity: Identity;
  /** Open client sockets. */
  readonly clientCount: () => number;
}

interface Identity {
  readonly host: string;
  port: number;
  readonly processId: ObjectId;
  readonly startedAt: Date;
}

/** One command on its way: `owner` is the client socket it came by. */
export interface Call {
  readonly command: Command;
  readonly front: Front;
  readonly owner: object;
  readonly clientId: number;
}

/** An answer: bytes that came from the database, or a document still to be written. */
export type Answer = Buffer | Document;

export type Handler = (call: Call) => Answer | Promise<Answer>;

/** Frees what the server keeps for cursors nobody will ask for again; a failure leaves it to the server's own clean-up. */
export async function discardCursors({ pool }: Pick<Front, 'pool'>, ids: readonly bigint[]): Promise<void> {
  if (ids.length === 0) return;
  try {
    const link = await pool.take();
    await link.run([{ statement: SQL.killCursors, values: [int64Array(ids)] }]).finally(() => pool.give(link));
  } catch {
    return;
  }
}
