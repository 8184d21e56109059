import { closeSync, openSync, readFileSync } from 'node:fs';
import { dyingWithParent, spawnTied, stopTied, type Tied } from './children.ts';
import { tail } from './unpacked/run-tool.ts';

export interface WireProcess {
  readonly uri: string;
  /** Kills it with SIGKILL and starts it again at the same address: every connection breaks, and what it knew is gone. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const MAIN = new URL('wire-main.ts', import.meta.url).pathname;
const READY_WITHIN_MS = 20_000;
const STOP_LADDER = [{ signal: 'SIGTERM', waitMs: 2_000 }] as const;
const ANY_PORT = 0;

/** The wire front in a process of its own: it shares neither a core nor an event loop with what is measured. */
export async function startWire(postgresPort: number, logFile: string): Promise<WireProcess> {
  let wire = await spawnWire(postgresPort, ANY_PORT, logFile);
  const { uri } = wire;
  return {
    uri,
    async restart() {
      await stopTied(wire.child, []);
      wire = await spawnWire(postgresPort, Number(new URL(uri).port), logFile);
    },
    stop: () => stopTied(wire.child, STOP_LADDER),
  };
}

async function spawnWire(postgresPort: number, port: number, logFile: string): Promise<{ child: Tied; uri: string }> {
  const log = openSync(logFile, 'a');
  const command = [process.execPath, '--import', 'tsx', MAIN, String(postgresPort), String(port)];
  const child = spawnTied(dyingWithParent(command), { stdio: ['ignore', log, log, 'ipc'] });
  closeSync(log);
  const uri = await new Promise<string>((resolve, reject) => {
    const fail = (): void => {
      reject(new Error(`the wire front did not start; the end of its log:\n${tail(readFileSync(logFile, 'utf8'))}`));
    };
    const timer = setTimeout(fail, READY_WITHIN_MS);
    child.process.once('message', (message: { uri: string }) => {
      clearTimeout(timer);
      resolve(message.uri);
    });
    void child.gone.then(fail);
  });
  return { child, uri };
}
