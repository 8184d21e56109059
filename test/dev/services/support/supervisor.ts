/** Starts the servers that its arguments name, prints their process ids and folders, and runs until it is killed. */
import { startDocumentDb } from '../../../../dev/services/documentdb.ts';
import { startRedis } from '../../../../dev/services/redis.ts';

const names = process.argv.slice(2);
const redis = names.includes('redis') ? await startRedis() : undefined;
const documentDb = names.includes('documentdb') ? await startDocumentDb() : undefined;
const servers = [redis, documentDb].flatMap((server) => (server === undefined ? [] : [server]));
process.stdout.write(`${JSON.stringify(servers.map(({ pid, dir }) => ({ pid, dir })))}\n`);
setInterval(() => undefined, 60_000);
