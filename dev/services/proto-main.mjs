import { freePort } from './ports.ts';
process.env.PORT = String(await freePort());
process.env.PGPORT = process.argv[2];
await import('./proto-gateway.mjs');
process.once('disconnect', () => process.exit(0));
process.once('SIGTERM', () => process.exit(0));
process.send({ uri: `mongodb://127.0.0.1:${process.env.PORT}/?replicaSet=rs0` });
