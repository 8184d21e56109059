/** The wire front's own process: `wire-main.ts POSTGRES_PORT PORT`, 0 for any that is free. Tells its address to the one who started it. */
import { startServer } from '../documentdb-server/server.ts';

/** PostgreSQL allows 200; the rest is for its own workers and for whoever looks in with psql. */
const CONNECTIONS_MAX = 150;

const front = await startServer({
  port: Number(process.argv[3]),
  postgres: {
    host: '127.0.0.1',
    port: Number(process.argv[2]),
    user: 'postgres',
    database: 'postgres',
    connectionsMax: CONNECTIONS_MAX,
  },
});
const stop = (): void => {
  void front.close().finally(() => process.exit(0));
};
process.once('SIGTERM', stop);
process.once('disconnect', stop);
process.send?.({ uri: front.uri });
