import { Command } from 'commander';
import { addCampaign } from './commands/campaign.ts';
import { addCancel } from './commands/cancel.ts';
import { addConversations } from './commands/conversations.ts';
import { addDoctor } from './commands/doctor.ts';
import { addExport } from './commands/export.ts';
import { addFailed } from './commands/failed.ts';
import { addImport } from './commands/import.ts';
import { addMigrate } from './commands/migrate.ts';
import { addOperations } from './commands/operations.ts';
import { addPreview } from './commands/preview.ts';
import { addReassign } from './commands/reassign.ts';
import { addRetry } from './commands/retry.ts';
import { addSelfAssign } from './commands/self-assign.ts';
import { addSenders } from './commands/senders.ts';
import { addTexterCommands } from './commands/texter.ts';
import { addUnassign } from './commands/unassign.ts';
import { addUndo } from './commands/undo.ts';
import { addWorker } from './commands/worker.ts';
import type { Terminal } from './terminal.ts';
import { reportFailure } from './failure.ts';
import { Session } from './session.ts';
import { batonVersion } from './version.ts';

const COMMANDS = [
  addCampaign,
  addTexterCommands,
  addImport,
  addSenders,
  addConversations,
  addReassign,
  addUnassign,
  addSelfAssign,
  addCancel,
  addUndo,
  addPreview,
  addOperations,
  addFailed,
  addRetry,
  addExport,
  addWorker,
  addDoctor,
  addMigrate,
];

const HELP = `
Exit status: 0 done, 1 failed, 2 refused or misused (and nothing was changed).
MONGODB_URI and REDIS_URL say where the services are.`;

/** Runs one command line to its end and says its exit status. Never throws. */
export async function runCli(args: readonly string[], terminal: Terminal): Promise<number> {
  const session = new Session(terminal, args.includes('--json'));
  try {
    await buildProgram(session).parseAsync(args, { from: 'user' });
    return session.exitStatus;
  } catch (error) {
    return reportFailure(session, error);
  } finally {
    await session.close();
  }
}

function buildProgram(session: Session): Command {
  const { terminal } = session;
  const program = new Command('baton')
    .description('Hands texting conversations from one texter to the next.')
    .option('--json', 'answer with one JSON document on stdout')
    .version(batonVersion())
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      // Help for whoever typed too little is no answer; what was wrong is told by the failure.
      writeErr: (text) => (session.json ? true : terminal.stderr.write(text)),
      outputError: () => undefined,
    })
    .addHelpText('after', HELP)
    .exitOverride();
  for (const add of COMMANDS) add(program, session);
  return program;
}
