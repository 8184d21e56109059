/**
 * A development tool, not a database: a MongoDB wire-protocol front before PostgreSQL and its DocumentDB extension, so
 * that Baton's tests, demo and benchmarks run where no MongoDB server can be had. Nothing in `src/` or `workers/` knows
 * it. It has no authentication and belongs on the loopback interface. See README.md beside this file.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { ObjectId } from 'bson';
import { Client } from './client.js';
import { replicaSetUri } from './commands/server.js';
import { discardCursors, type Front } from './front.js';
import { SWEEP_EVERY_MS, TRANSACTION_CONNECTIONS_SHARE, TRANSACTION_LIFETIME_MS } from './limits.js';
import { Pool } from './postgres/pool.js';
import { CONNECTION_SETTINGS } from './postgres/sql.js';
import { Cursors } from './state/cursors.js';
import { Lanes } from './state/lanes.js';
import { Remembered } from './state/remembered.js';
import { Transactions } from './state/transactions.js';

export interface WireFrontOptions {
  /** Loopback unless told otherwise. */
  host?: string;
  /** 0 takes a free one. */
  port: number;
  postgres: { host: string; port: number; user: string; database: string; connectionsMax: number };
  /** What its connections are called in PostgreSQL's list of them; one name for all fronts unless told otherwise. */
  applicationName?: string;
  /** An idle transaction is rolled back after this; as long as MongoDB's unless told otherwise. */
  transactionLifetimeMs?: number;
  /** Where a refused client is reported; standard error unless told otherwise. */
  log?: (line: string) => void;
}

export interface WireFront {
  port: number;
  /** What a driver connects to; it names the replica set, without which drivers know no transactions. */
  uri: string;
  /** Takes no more clients, rolls open transactions back, closes cursors, sockets and PostgreSQL connections. */
  close(): Promise<void>;
}

/** Opens the front. Connections to PostgreSQL are opened as commands need them. */
export async function startWireFront(options: WireFrontOptions): Promise<WireFront> {
  const { host = '127.0.0.1', log = (line) => console.error(`wire front: ${line}`) } = options;
  const clients = new Set<Client>();
  const front = createFront({ host, ...options }, () => clients.size);
  const server = createServer();
  serveClients(server, { front, clients, log });
  server.listen(options.port, host);
  await once(server, 'listening');
  front.identity.port = (server.address() as AddressInfo).port;
  const sweeper = setInterval(() => sweep(front), SWEEP_EVERY_MS).unref();
  const { port } = front.identity;
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= stop(server, { front, clients, sweeper }));
  return { port, uri: replicaSetUri(front.identity), close };
}

function createFront(options: WireFrontOptions & { host: string }, clientCount: () => number): Front {
  const { host, postgres, applicationName, transactionLifetimeMs = TRANSACTION_LIFETIME_MS } = options;
  const { connectionsMax } = postgres;
  // Apart, or transactions that also work outside themselves could take every connection and wait for one more.
  const pinned = Math.max(1, Math.floor(connectionsMax * TRANSACTION_CONNECTIONS_SHARE));
  const name = applicationName === undefined ? {} : { application_name: applicationName };
  const shared = { ...postgres, settings: { ...CONNECTION_SETTINGS, ...name } };
  const pool = new Pool({ ...shared, connectionsMax: Math.max(1, connectionsMax - pinned) });
  const transactionPool = new Pool({ ...shared, connectionsMax: pinned });
  return {
    pool,
    transactionPool,
    transactions: new Transactions(transactionPool, transactionLifetimeMs),
    cursors: new Cursors(),
    remembered: new Remembered(),
    lanes: new Lanes(),
    identity: { host, port: 0, processId: new ObjectId(), startedAt: new Date() },
    clientCount,
  };
}

interface Serving {
  front: Front;
  clients: Set<Client>;
  log: (line: string) => void;
}

function serveClients(server: Server, { front, clients, log }: Serving): void {
  let lastId = 0;
  server.on('connection', (socket) => {
    lastId += 1;
    const client = new Client(socket, { front, id: lastId, log });
    clients.add(client);
    socket.on('close', () => clients.delete(client));
  });
}

function sweep(front: Front): void {
  const now = Date.now();
  front.transactions.sweep(now);
  void discardCursors(front, front.cursors.removeIdle(now));
}

async function stop(
  server: Server,
  { front, clients, sweeper }: Omit<Serving, 'log'> & { sweeper: NodeJS.Timeout },
): Promise<void> {
  clearInterval(sweeper);
  const closed = once(server, 'close');
  server.close();
  for (const client of clients) client.end();
  await front.transactions.close();
  await discardCursors(front, front.cursors.removeAll());
  await Promise.all([front.pool.close(), front.transactionPool.close()]);
  for (const client of clients) client.cut();
  await closed;
}
