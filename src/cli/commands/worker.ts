import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { WORKER_NODE_FLAGS } from '../../config.ts';
import type { Session } from '../session.ts';

const SIGNAL_EXIT_BASE = 128;
const FORWARDED_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The library does not import the worker. Its main file is next to `src`, as .ts in the source and as .js when built. */
const MAIN = fileURLToPath(new URL(`../../../workers/main${extname(import.meta.url)}`, import.meta.url));

export function addWorker(program: Command, session: Session): void {
  program
    .command('worker')
    .summary('run a worker until a signal stops it')
    .action(async () => {
      // Reading the configuration here reports a wrong one as a refusal, not as a worker that exits.
      void session.config;
      session.exitStatus = await runWorker(session);
    });
}

async function runWorker({ terminal }: Session): Promise<number> {
  // The worker gets its own process group. Otherwise each Ctrl-C would reach it twice, from the terminal and from here, and
  // half as many would end it by force.
  const options = { stdio: 'inherit', env: terminal.env, detached: true } as const;
  const worker = spawn(process.execPath, [...process.execArgv, ...WORKER_NODE_FLAGS, MAIN], options);
  const forward = (signal: NodeJS.Signals): void => void worker.kill(signal);
  for (const signal of FORWARDED_SIGNALS) process.on(signal, forward);
  try {
    return await new Promise((resolve, reject) => {
      worker.once('error', reject);
      worker.once('exit', (code, signal) => resolve(code ?? SIGNAL_EXIT_BASE + constants.signals[signal ?? 'SIGTERM']));
    });
  } finally {
    for (const signal of FORWARDED_SIGNALS) process.off(signal, forward);
  }
}
