import { closeSync, openSync, readFileSync } from 'node:fs';
import { dyingWithParent, spawnTied, stopTied } from './children.ts';
import { tail } from './unpacked/run-tool.ts';

export interface WireProcess {
  readonly uri: string;
  stop(): Promise<void>;
}

const MAIN = new URL('wire-main.ts', import.meta.url).pathname;
const READY_WITHIN_MS = 20_000;
const STOP_LADDER = [{ signal: 'SIGTERM', waitMs: 2_000 }] as const;

/** The wire front in a process of its own: it shares neither a core nor an event loop with what is measured. */
export async function startWire(postgresPort: number, logFile: string): Promise<WireProcess> {
  const log = openSync(logFile, 'a');
  const command = [process.execPath, '--import', 'tsx', MAIN, String(postgresPort)];
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
  return { uri, stop: () => stopTied(child, STOP_LADDER) };
}
