/**
 * Runs the HTTP server and a worker on the services of `npm start`, and prints where the server listens and an API key. When one
 * of the two ends, the other is stopped.
 */
import { setTimeout as delay } from 'node:timers/promises';
import getPort from 'get-port';
import { replaceKey, SCOPES } from '../src/access/index.ts';
import { readConfig, SERVER_NODE_FLAGS, WORKER_NODE_FLAGS } from '../src/config.ts';
import { openContext } from '../src/context.ts';
import { DEFAULT_ORGANISATION } from '../src/domain/id-rules.ts';
import { log } from './services/messages.ts';
import { killedWithParent, spawnChild, stopChild, type Child } from './services/processes.ts';

const KEY_NAME = 'npm start';
const READY_POLL_MS = 200;
const STOP_MS_MAX = 25_000;

/** Another program, such as an `npm start` of another checkout, may have the usual port. */
const { host, port: usualPort } = readConfig(process.env).http;
const port = process.env['BATON_HTTP_PORT'] ? usualPort : await getPort({ port: usualPort });
const env = { ...process.env, BATON_HTTP_PORT: String(port) };
const config = readConfig(env);
const address = `http://${host}:${port}`;

function start(main: string, flags: readonly string[] = []): Child {
  const command = killedWithParent([process.execPath, ...flags, '--import', 'tsx', main]);
  return spawnChild(command, { stdio: 'inherit', env });
}

async function createFirstKey(): Promise<string> {
  const context = await openContext(config);
  try {
    const request = { organisationId: DEFAULT_ORGANISATION, name: KEY_NAME, scopes: SCOPES };
    return (await replaceKey(context, request)).text;
  } finally {
    await context.close();
  }
}

async function isReady(): Promise<boolean> {
  return fetch(`${address}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  );
}

const key = await createFirstKey();
const children = [start('src/http/main.ts', SERVER_NODE_FLAGS), start('workers/main.ts', WORKER_NODE_FLAGS)];
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => children.forEach(({ process: child }) => child.kill(signal)));
}
const hasEnded = (): boolean => children.some((child) => child.isClosed());
while (!hasEnded() && !(await isReady())) await delay(READY_POLL_MS);
if (!hasEnded()) {
  log(`the HTTP API is at ${address}; ${address}/docs shows its routes`);
  log(`an API key for it, which the start after the next one replaces: ${key}`);
}
await Promise.race(children.map(({ closed }) => closed));
await Promise.all(children.map((child) => stopChild(child, [{ signal: 'SIGTERM', waitMs: STOP_MS_MAX }])));
process.exit(Math.max(...children.map(({ process: { exitCode } }) => exitCode ?? 1)));
