import type { Command } from 'commander';
import { WORKER_NODE_FLAGS } from '../../config.ts';
import { runProcesses, type ProcessMain } from '../run-process.ts';
import type { Session } from '../session.ts';

/** The library does not import the worker. */
export const WORKER_PROCESS: ProcessMain = { path: 'workers/main', flags: WORKER_NODE_FLAGS };

export function addWorker(program: Command, session: Session): void {
  program.command('worker').action(async () => {
    // Reading the configuration here reports a wrong one as a refusal, not as a worker that exits.
    void session.config;
    session.exitStatus = await runProcesses(session.terminal, [WORKER_PROCESS]);
  });
}
