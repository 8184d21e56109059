import type { Command } from 'commander';
import { runProcesses, type ProcessMain } from '../run-process.ts';
import type { Session } from '../session.ts';
import { SERVER_NODE_FLAGS, WORKER_NODE_FLAGS } from '../../config.ts';

/** The library does not import the worker. */
export const WORKER_PROCESS: ProcessMain = { path: 'workers/main', flags: WORKER_NODE_FLAGS };

export function addWorker(program: Command, session: Session): void {
  program.command('worker').action(async () => {
    // Reading the configuration here reports a wrong one as a refusal, not as a worker that exits.
    void session.config;
    session.exitStatus = await runProcesses(session.terminal, [WORKER_PROCESS]);
  });
}

const SERVER_PROCESS: ProcessMain = { path: 'src/http/main', flags: SERVER_NODE_FLAGS };

export function addServe(program: Command, session: Session): void {
  program
    .command('serve')
    .description(
      'Runs the HTTP server until a signal stops it. It listens on BATON_HTTP_HOST and BATON_HTTP_PORT. Workers do the ' +
        'work: run them besides, or use --with-worker for a small installation.',
    )
    .option('--with-worker', 'run a worker besides')
    .action(async ({ withWorker }: { withWorker?: true }) => {
      // Reading the configuration here reports a wrong one as a refusal, not as a server that exits.
      void session.config;
      const processes = [SERVER_PROCESS, ...(withWorker ? [WORKER_PROCESS] : [])];
      session.exitStatus = await runProcesses(session.terminal, processes);
    });
}
