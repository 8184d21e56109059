import { Command } from 'commander';
import { addAdopt } from './commands/adopt.ts';
import { addCampaign } from './commands/campaign.ts';
import { addCancel, addUndo } from './commands/cancel-and-undo.ts';
import { addConversations } from './commands/conversations.ts';
import { addDoctor } from './commands/doctor.ts';
import { addErase } from './commands/erase.ts';
import { addExport } from './commands/export.ts';
import { addFailed, addRetry } from './commands/failed.ts';
import { addImport } from './commands/import.ts';
import { addKey } from './commands/key.ts';
import { addMigrate } from './commands/migrate.ts';
import { addMoves } from './commands/moves.ts';
import { addOperations } from './commands/operations.ts';
import { addLiftOptOut, addOptOut } from './commands/opt-out.ts';
import { addChanges, addOrganisation } from './commands/organisation.ts';
import { addPhones } from './commands/phones.ts';
import { addPreview } from './commands/preview.ts';
import { addReassign } from './commands/reassign.ts';
import { addRepair } from './commands/repair.ts';
import { addSelfAssign } from './commands/self-assign.ts';
import { addSenders } from './commands/senders.ts';
import { addServe } from './commands/serve.ts';
import { addTexter } from './commands/texter.ts';
import { addUnassign } from './commands/unassign.ts';
import { addWorker } from './commands/worker.ts';
import { exitStatusOf, failureOf } from './errors.ts';
import { addExamples } from './examples.ts';
import { laidOut } from './layout.ts';
import { Session } from './session.ts';
import { plainLines, widthOf, type Terminal } from './terminal.ts';
import { batonVersion } from './version.ts';

/** In the order of `baton --help`. */
const COMMANDS = [
  addCampaign,
  addTexter,
  addImport,
  addPhones,
  addRepair,
  addOptOut,
  addLiftOptOut,
  addErase,
  addSenders,
  addConversations,
  addReassign,
  addUnassign,
  addSelfAssign,
  addCancel,
  addUndo,
  addPreview,
  addOperations,
  addMoves,
  addFailed,
  addRetry,
  addExport,
  addWorker,
  addServe,
  addOrganisation,
  addKey,
  addChanges,
  addMigrate,
  addAdopt,
  addDoctor,
];

const HELP = `
Exit codes:
  0  the command is done
  1  the command failed
  2  the command was refused, and nothing was changed
  130  Ctrl-C stopped an import or an export

A word can be an id or a name. If it matches several records, it is refused; write id=WORD or name=WORD.

MONGODB_URI and REDIS_URL must be set to the addresses of the services.`;

/** Longer lines are hard to read, however wide the terminal is. */
const HELP_WIDTH = 80;
/** Commander does not break the lines of a narrower column. */
const HELP_MIN_WIDTH = 20;

/** Runs one command line and returns its exit code. Never throws. */
export async function runCli(args: readonly string[], terminal: Terminal): Promise<number> {
  const session = new Session(terminal, args.includes('--json'));
  try {
    await buildProgram(session).parseAsync(args, { from: 'user' });
    return session.exitStatus;
  } catch (error) {
    const status = exitStatusOf(error);
    if (status !== 0) printFailure(session, error);
    return status;
  } finally {
    await session.close();
  }
}

function printFailure(session: Session, error: unknown): void {
  const failure = failureOf(error);
  if (session.json) session.print({ json: { error: failure }, text: '' });
  else session.note(`${failure.code}: ${failure.message}`);
}

function buildProgram(session: Session): Command {
  const { terminal } = session;
  const width = Math.min(widthOf(terminal, terminal.stdout), HELP_WIDTH);
  const program = new Command('baton')
    .description('Moves texting conversations between texters.')
    .option('--json', 'print one JSON document on stdout')
    .version(batonVersion())
    .configureHelp({ showGlobalOptions: true, minWidthToWrap: HELP_MIN_WIDTH, subcommandTerm: termOf })
    .configureOutput({
      getOutHelpWidth: () => width,
      getErrHelpWidth: () => width,
      writeOut: (text) => terminal.stdout.write(laidOut(text, width)),
      // With --json, the failure document replaces the help that commander prints when a command is missing.
      writeErr: (text) => (session.json ? true : terminal.stderr.write(plainLines(text))),
      outputError: () => undefined,
    })
    .addHelpText('after', HELP)
    .exitOverride();
  for (const add of COMMANDS) add(program, session);
  addExamples(program);
  return program;
}

/** The options of a command are in its own help. */
function termOf(command: Command): string {
  const args = command.registeredArguments.map((argument) =>
    argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
  );
  return [command.name(), ...args].join(' ');
}
