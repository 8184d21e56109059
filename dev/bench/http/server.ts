import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import getPort from 'get-port';
import { createKey, SCOPES } from '../../../src/access/index.ts';
import { DEFAULT_ORGANISATION } from '../../../src/domain/organisations.ts';
import type { Sandbox } from '../../sandbox.ts';

const READY_POLL_MS = 50;
const KIB_OF_PAGE = 4;

/** An HTTP server in a process of its own, with a key. */
export interface BenchServer {
  readonly address: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sends a request and returns its body. Throws for a problem. */
  send(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<unknown>;
  /** The resident memory of the process. */
  residentKib(): number;
  stop(): Promise<void>;
}

export async function startServer({ config, context }: Sandbox): Promise<BenchServer> {
  const port = await getPort();
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/http/main.ts'], {
    stdio: 'ignore',
    env: {
      ...process.env,
      MONGODB_URI: config.mongo.uri,
      REDIS_URL: config.queue.redisUrl,
      BATON_QUEUE_PREFIX: config.queue.prefix,
      BATON_HTTP_PORT: String(port),
      BATON_HTTP_REQUESTS_PER_MINUTE: '10000000',
    },
  });
  const address = `http://127.0.0.1:${port}`;
  const isReady = (): Promise<boolean> =>
    fetch(`${address}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await isReady())) await delay(READY_POLL_MS);
  const { text } = await createKey(context, { organisationId: DEFAULT_ORGANISATION, name: 'bench', scopes: SCOPES });
  const headers = { authorization: `Bearer ${text}` };
  return {
    address,
    headers,
    send: senderTo(address, headers),
    residentKib: () => Number(readFileSync(`/proc/${child.pid}/statm`, 'utf8').split(' ')[1]) * KIB_OF_PAGE,
    stop: async () => {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

function senderTo(address: string, headers: BenchServer['headers']): BenchServer['send'] {
  return async (method, path, body, more = {}) => {
    const json = body !== undefined && { 'content-type': 'application/json' };
    const response = await fetch(address + path, {
      method,
      headers: { ...headers, ...json, ...more },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const answer = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${answer}`);
    return JSON.parse(answer) as unknown;
  };
}
