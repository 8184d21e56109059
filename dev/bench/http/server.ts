import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import getPort from 'get-port';
import { SERVER_NODE_FLAGS } from '../../../src/config.ts';
import { createKey, SCOPES } from '../../../src/access/index.ts';
import { DEFAULT_ORGANISATION } from '../../../src/domain/id-rules.ts';
import type { Sandbox } from '../../sandbox.ts';
import { BenchClient, type Headers } from './client.ts';

const READY_POLL_MS = 50;
/** Written to /proc/PID/clear_refs, this resets the peak of a process's resident memory to its present value. */
const RESET_PEAK = '5';

/** An HTTP server in a process of its own, with a key. */
export interface BenchServer {
  readonly address: string;
  readonly headers: Headers;
  readonly client: BenchClient;
  /** The resident memory of the process. */
  residentKib(): number;
  /** The largest resident memory since the last reset. */
  peakKib(): number;
  resetPeak(): void;
  stop(): Promise<void>;
}

export async function startServer({ config, context }: Sandbox): Promise<BenchServer> {
  const port = await getPort();
  const child = spawn(process.execPath, [...SERVER_NODE_FLAGS, '--import', 'tsx', 'src/http/main.ts'], {
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
  while (!(await isReady())) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('the HTTP server did not start');
    await delay(READY_POLL_MS);
  }
  const { text } = await createKey(context, { organisationId: DEFAULT_ORGANISATION, name: 'bench', scopes: SCOPES });
  const headers = { authorization: `Bearer ${text}` };
  const client = new BenchClient(address, headers);
  return {
    ...{ address, headers, client },
    residentKib: () => memoryKib(child.pid, 'VmRSS'),
    peakKib: () => memoryKib(child.pid, 'VmHWM'),
    resetPeak: () => writeFileSync(`/proc/${child.pid}/clear_refs`, RESET_PEAK),
    stop: async () => {
      client.close();
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

function memoryKib(pid: number | undefined, name: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status)?.[1]);
}
