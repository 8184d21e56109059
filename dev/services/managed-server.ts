import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import getPort from 'get-port';
import pTimeout from 'p-timeout';
import { errorMessage, lastLines } from './messages.ts';
import { stopChild, type Child, type StopSequence } from './processes.ts';

export const LOOPBACK = '127.0.0.1';

/** A private server for tests of failures. It keeps its port and its data through `kill` and `restart`. */
export interface ManagedServer {
  readonly pid: number;
  readonly port: number;
  /** Sends a signal and waits until the server has exited, except for SIGSTOP and SIGCONT. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Stops the server if it runs, starts it on the same data and port, and waits until it is ready. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface ServerDefinition {
  readonly name: string;
  readonly port: number;
  readonly logFile: string;
  readonly stopSequence: StopSequence;
  spawn(): Child;
  /** Returns false when another server has taken the port. */
  isReady(pid: number): Promise<boolean>;
}

const READY_TIMEOUT_MS = 30_000;
const READY_POLL_MS = 20;
const PORT_ATTEMPTS_MAX = 3;
const SIGNALS_WITHOUT_EXIT: readonly NodeJS.Signals[] = ['SIGSTOP', 'SIGCONT'];

export async function startManagedServer(definition: ServerDefinition): Promise<ManagedServer> {
  let child = await start(definition);
  return {
    port: definition.port,
    get pid() {
      return child.pid;
    },
    async kill(signal) {
      child.process.kill(signal);
      if (!SIGNALS_WITHOUT_EXIT.includes(signal)) await child.closed;
    },
    async restart() {
      await stopChild(child, definition.stopSequence);
      child = await start(definition);
    },
    stop: () => stopChild(child, definition.stopSequence),
  };
}

/** The same server with further fields. `cleanUp` runs after it has stopped. */
export function withFields<Fields extends object>(
  server: ManagedServer,
  fields: Fields,
  cleanUp: () => void,
): ManagedServer & Fields {
  return {
    ...fields,
    port: server.port,
    get pid() {
      return server.pid;
    },
    kill: (signal) => server.kill(signal),
    restart: () => server.restart(),
    async stop() {
      await server.stop();
      cleanUp();
    },
  };
}

/** Calls `start` with a free port, and again with another one if a different process took the port in between. */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(await freePort());
    } catch (error) {
      const isPortTaken = /address already in use/i.test(errorMessage(error));
      if (attempt === PORT_ATTEMPTS_MAX || !isPortTaken) throw error;
    }
  }
}

export function freePort(): Promise<number> {
  return getPort({ host: LOOPBACK });
}

async function start(definition: ServerDefinition): Promise<Child> {
  const { name, port, logFile } = definition;
  const child = definition.spawn();
  const ready = untilReadyOrClosed(child, definition);
  const wait = { milliseconds: READY_TIMEOUT_MS, fallback: () => stopChild(child, []).then(() => true) };
  const isLate = (await pTimeout(ready, wait)) === true;
  if (!child.isClosed()) return child;
  const within = isLate ? ` within ${READY_TIMEOUT_MS / 1_000} s` : '';
  throw new Error(`${name} did not start on port ${port}${within}. ${endOfLog(logFile)}`);
}

/** p-wait-for adds a listener for each poll, and Node prints a warning about a memory leak when a start takes longer. */
async function untilReadyOrClosed(child: Child, definition: ServerDefinition): Promise<void> {
  while (!child.isClosed() && !(await definition.isReady(child.pid))) await sleep(READY_POLL_MS);
}

function endOfLog(file: string): string {
  const text = existsSync(file) ? lastLines(readFileSync(file, 'utf8')).trim() : '';
  return text === '' ? 'It has logged nothing.' : `The end of its log:\n${text}`;
}
