import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { WORKER_NODE_FLAGS } from '../../worker-flags.ts';
import type { Session } from '../session.ts';

const SIGNAL_EXIT_BASE = 128;
const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The worker is a process of its own that this library does not import: found beside it, built or not. */
const MAIN = fileURLToPath(new URL(`../../../workers/main${extname(import.meta.url)}`, import.meta.url));

export function addWorker(program: Command, session: Session): void {
  program
    .command('worker')
    .summary('run a worker until it is told to stop')
    .action(async () => {
      // What it would refuse, refused in the command line's own way.
      void session.config;
      session.exitStatus = await runWorker(session);
    });
}

async function runWorker({ terminal }: Session): Promise<number> {
  // In a group of its own: a Ctrl-C must reach it once, from here, and not again from the terminal. The second of two
  // signals would end it in the middle of a batch.
  const options = { stdio: 'inherit', env: terminal.env, detached: true } as const;
  const worker = spawn(process.execPath, [...process.execArgv, ...WORKER_NODE_FLAGS, MAIN], options);
  const pass = (signal: NodeJS.Signals): void => void worker.kill(signal);
  for (const signal of PASSED_ON) process.on(signal, pass);
  try {
    return await new Promise((resolve, reject) => {
      worker.once('error', reject);
      worker.once('exit', (code, signal) => resolve(code ?? SIGNAL_EXIT_BASE + constants.signals[signal ?? 'SIGTERM']));
    });
  } finally {
    for (const signal of PASSED_ON) process.off(signal, pass);
  }
}
