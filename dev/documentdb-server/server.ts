/** A development server; see README.md. It has no authentication and must listen only on the loopback interface. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { ObjectId } from 'bson';
import { Client } from './client.js';
import { replicaSetUri } from './commands/server.js';
import { discardCursors, type ServerContext } from './context.js';
import { IDLE_CHECK_EVERY_MS, TRANSACTION_CONNECTIONS_SHARE, TRANSACTION_LIFETIME_MS } from './limits.js';
import { Canceller } from './postgres/canceller.js';
import { Pool } from './postgres/pool.js';
import { RetryableWrites } from './postgres/retryable-writes.js';
import { CONNECTION_SETTINGS, TRANSACTION_SETTINGS } from './postgres/sql.js';
import { ClusterClock } from './state/cluster-clock.js';
import { Cursors } from './state/cursors.js';
import { FAIL_POINT, FailPoints } from './state/fail-points.js';
import { KeyedQueue } from './state/keyed-queue.js';
import { Snapshots } from './state/snapshots.js';
import { Transactions } from './state/transactions.js';

export interface ServerOptions {
  /** Default: loopback. */
  host?: string;
  /** 0 selects a free port. */
  port: number;
  postgres: { host: string; port: number; user: string; database: string; connectionsMax: number };
  /** The `application_name` of the PostgreSQL connections. */
  applicationName?: string;
  /** The time after which an idle transaction is rolled back. Default: as in MongoDB. */
  transactionLifetimeMs?: number;
  /** Starts with the fail point `keepTransactionsOfLostClients`. Default: off. */
  keepTransactionsOfLostClients?: boolean;
  /** Called when the server closes the socket of a client because of an error. Default: writes to stderr. */
  log?: (line: string) => void;
}

export interface DocumentDbServer {
  port: number;
  /** The address for drivers. It names a replica set, because drivers use transactions only with one. */
  uri: string;
  /** Accepts no further clients, rolls open transactions back and closes cursors, sockets and connections. */
  close(): Promise<void>;
}

/** Opens PostgreSQL connections later, when commands need them. */
export async function startServer(options: ServerOptions): Promise<DocumentDbServer> {
  const { host = '127.0.0.1', log = (line) => console.error(`documentdb-server: ${line}`) } = options;
  const clients = new Set<Client>();
  const context = createContext({ host, ...options }, () => clients.size);
  const server = createServer();
  acceptClients(server, { context, clients, log });
  server.listen(options.port, host);
  await once(server, 'listening');
  context.identity.port = (server.address() as AddressInfo).port;
  const idleCheck = setInterval(() => closeIdle(context), IDLE_CHECK_EVERY_MS).unref();
  const { port } = context.identity;
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= stop(server, { context, clients, idleCheck }));
  return { port, uri: replicaSetUri(context.identity), close };
}

function createContext(options: ServerOptions & { host: string }, clientCount: () => number): ServerContext {
  const { host, postgres, applicationName, transactionLifetimeMs = TRANSACTION_LIFETIME_MS } = options;
  const { connectionsMax } = postgres;
  // With a single pool, transactions could use all connections and then wait for one more to work outside themselves.
  const reserved = Math.max(1, Math.floor(connectionsMax * TRANSACTION_CONNECTIONS_SHARE));
  const name = applicationName === undefined ? {} : { application_name: applicationName };
  const settings = { ...CONNECTION_SETTINGS, ...name };
  const pool = new Pool({ ...postgres, settings, connectionsMax: Math.max(1, connectionsMax - reserved) });
  const failPoints = new FailPoints();
  if (options.keepTransactionsOfLostClients === true) failPoints.configure(FAIL_POINT.keepTransactions, 'alwaysOn');
  const canceller = new Canceller({ ...postgres, settings });
  const transactionPool = new Pool({
    ...postgres,
    settings: { ...settings, ...TRANSACTION_SETTINGS },
    canceller,
    connectionsMax: reserved,
  });
  return {
    pool,
    transactionPool,
    canceller,
    transactions: new Transactions(transactionPool, transactionLifetimeMs),
    cursors: new Cursors(),
    clock: new ClusterClock(),
    snapshots: new Snapshots(transactionPool),
    retryableWrites: new RetryableWrites(pool),
    conflictQueue: new KeyedQueue(),
    failPoints,
    identity: { host, port: 0, processId: new ObjectId(), startedAt: new Date() },
    clientCount,
  };
}

interface Serving {
  context: ServerContext;
  clients: Set<Client>;
  log: (line: string) => void;
}

function acceptClients(server: Server, { context, clients, log }: Serving): void {
  let lastId = 0;
  server.on('connection', (socket) => {
    lastId += 1;
    const client = new Client(socket, { context, id: lastId, log });
    clients.add(client);
    socket.on('close', () => clients.delete(client));
  });
}

function closeIdle(context: ServerContext): void {
  const now = Date.now();
  context.transactions.rollBackIdle(now);
  context.snapshots.endIdle(now);
  void discardCursors(context, context.cursors.removeIdle(now));
}

async function stop(
  server: Server,
  { context, clients, idleCheck }: Omit<Serving, 'log'> & { idleCheck: NodeJS.Timeout },
): Promise<void> {
  clearInterval(idleCheck);
  const closed = once(server, 'close');
  server.close();
  for (const client of clients) client.end();
  await context.transactions.close();
  await context.snapshots.close();
  await discardCursors(context, context.cursors.removeAll());
  await Promise.all([context.pool.close(), context.transactionPool.close()]);
  await context.canceller.close();
  for (const client of clients) client.destroy();
  await closed;
}
