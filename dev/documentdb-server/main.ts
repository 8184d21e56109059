/**
 * Starts the server: `main.ts SOCKET_FOLDER_OF_POSTGRES PORT`. Port 0 selects a free port. Sends its address to the parent
 * process.
 */
import { startServer } from './server.ts';

/** A part of the name of the socket. */
const POSTGRES_PORT = 5432;

/** PostgreSQL allows 200. The rest is for its own background workers and for psql. */
const CONNECTIONS_MAX = 150;

/** Set to 1 to keep the transactions of disconnected clients open, as MongoDB does. */
const KEEP_TRANSACTIONS = 'BATON_DEV_KEEP_TRANSACTIONS_OF_LOST_CLIENTS';

const server = await startServer({
  port: Number(process.argv[3]),
  keepTransactionsOfLostClients: process.env[KEEP_TRANSACTIONS] === '1',
  postgres: {
    host: process.argv[2] ?? '',
    port: POSTGRES_PORT,
    user: 'postgres',
    database: 'postgres',
    connectionsMax: CONNECTIONS_MAX,
  },
});
console.error(`listening on ${server.uri}`);
const stop = (): void => {
  void server.close().finally(() => process.exit(0));
};
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
process.once('disconnect', stop);
process.send?.({ uri: server.uri });
