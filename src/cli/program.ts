import { Command } from 'commander';
import { COMMANDS, entryOf } from './command-table.ts';
import { exitStatusOf, failureOf, isHelp } from './errors.ts';
import { addExamples } from './examples.ts';
import { laidOut } from './layout.ts';
import { Session } from './session.ts';
import { plainLines, widthOf, type Terminal } from './terminal.ts';
import { batonVersion } from './version.ts';

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
    const width = Math.min(widthOf(terminal, terminal.stdout), HELP_WIDTH);
    const program = buildProgram(session, width);
    await addCommands(program, { session, args, width });
    await program.parseAsync(args, { from: 'user' });
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
  else {
    // The help was printed, because a command is missing.
    if (isHelp(error)) session.terminal.stderr.write('\n');
    session.note(`${failure.code}: ${session.withNames(failure.message)}`);
  }
}

function buildProgram(session: Session, width: number): Command {
  const { terminal } = session;
  const program = new Command('baton')
    .description('Moves texting conversations between texters.')
    .option('--json', 'print one JSON document on stdout')
    .version(batonVersion())
    .configureHelp({
      showGlobalOptions: true,
      minWidthToWrap: HELP_MIN_WIDTH,
      subcommandTerm: (command) => command.name(),
    })
    .configureOutput({
      getOutHelpWidth: () => width,
      getErrHelpWidth: () => width,
      writeOut: (text) => terminal.stdout.write(laidOut(text, width)),
      // With --json, the failure document replaces the help that commander prints when a command is missing.
      writeErr: (text) => (session.json ? true : terminal.stderr.write(laidOut(plainLines(text), width))),
      outputError: () => undefined,
    })
    .addHelpText('after', HELP)
    .hook('preAction', () => session.prepare())
    .exitOverride();
  return program;
}

interface Typed {
  readonly session: Session;
  readonly args: readonly string[];
  /** Of the help. */
  readonly width: number;
}

/** Adds the command that was typed. Of the others it adds what the list of commands and a suggestion need. */
async function addCommands(program: Command, { session, args, width }: Typed): Promise<void> {
  const typed = entryOf(args);
  const add = await typed?.load();
  for (const entry of COMMANDS) {
    if (entry === typed) add?.(program, session);
    else program.command(entry.usage);
    program.commands.at(-1)?.summary(entry.summary);
  }
  describeAll(program);
  addExamples(program, width);
}

/** Commander shows the description in the help of a command, and the summary in the list of commands. */
function describeAll(command: Command): void {
  for (const each of command.commands) {
    if (each.description() === '') each.description(sentenceOf(each.summary()));
    describeAll(each);
  }
}

function sentenceOf(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
}
