/** The supervisor: finds or starts the services, runs the command, and stops the services that it started. */
import { safeText } from '../../src/domain/safe-text.ts';
import { announce, announcementFile, readAnnouncement } from './announcement.ts';
import { reportCleanedUp } from './cleanup.ts';
import { commandNames, findCommand, type Command } from './commands.ts';
import { openKeptFolder, readStartArguments, type KeptFolder } from './keep.ts';
import { log, SetupError } from './messages.ts';
import { startServices, type Services } from './services.ts';
import { forwardSignals, ignoreSignals, killOrphanedGroup, runStep } from './steps.ts';

const EXIT_CANNOT_START = 2;
const HELP = ['--help', '-h'];

async function main(name: string, args: readonly string[]): Promise<number> {
  const command = findCommand(name);
  if (command === undefined) throw new SetupError(`unknown command "${name}"; expected ${commandNames.join(', ')}`);
  Object.assign(process.env, command.env);
  for (const step of command.first ?? []) {
    log(`${step.name}…`);
    const status = await runStep(step, [], process.env);
    if (status !== 0) return status;
  }
  if (command.keeps === true) return runKeeping(command, args);
  if (command.helps === true && args.some((arg) => HELP.includes(arg))) return runWithAnnounced(command, args);
  return command.services === 'own' ? runWithServices(command, args) : runWithAnnounced(command, args);
}

async function runKeeping(command: Command, args: readonly string[]): Promise<number> {
  const asked = readStartArguments(args, process.env['INIT_CWD'] ?? process.cwd());
  if ('help' in asked) {
    process.stdout.write(`${asked.help}\n`);
    return 0;
  }
  if (asked.keep === undefined) return runWithServices(command, []);
  if (process.env['MONGODB_URI'] && process.env['REDIS_URL']) {
    throw new SetupError(
      '--keep has nothing to keep, because MONGODB_URI and REDIS_URL name the servers: leave it out',
    );
  }
  const kept = await openKeptFolder(asked.keep);
  try {
    return await runWithServices(command, [], kept);
  } finally {
    await kept.release();
  }
}

async function runWithServices(command: Command, args: readonly string[], kept?: KeptFolder): Promise<number> {
  const services = await startServices(kept?.path);
  const removeAnnouncement = command.announce === true ? announceServices(services, kept) : undefined;
  try {
    const env = { ...process.env, ...services.env };
    for (const step of command.prepare ?? []) {
      const status = await runStep(step, [], env);
      if (status !== 0) return status;
    }
    return await runStep(command.run, args, env);
  } finally {
    ignoreSignals();
    removeAnnouncement?.();
    await services.stop();
  }
}

function announceServices(services: Services, kept: KeptFolder | undefined): (() => void) | undefined {
  if (!services.wereStarted) return undefined;
  log(
    kept === undefined
      ? 'their data are gone when this command stops; `npm start -- --keep DIR` keeps them'
      : `their data are kept in ${kept.path}: start again with the same --keep to find them`,
  );
  log('other terminals of this checkout use these services automatically (`npm run baton -- …`).');
  // The addresses contain a password, so they are not logged.
  log(`elsewhere, take the addresses from ${announcementFile()}, which only this user can read`);
  return announce(services.env);
}

/** A variable of the environment overrides the announced one. */
function runWithAnnounced(command: Command, args: readonly string[]): Promise<number> {
  return runStep(command.run, args, { ...readAnnouncement(), ...process.env });
}

forwardSignals();
const [name = '', ...args] = process.argv.slice(2);
try {
  process.exitCode = await main(name, args);
} catch (error) {
  process.exitCode = error instanceof SetupError ? EXIT_CANNOT_START : 1;
  log(error instanceof SetupError ? error.message : safeText(String(error instanceof Error ? error.stack : error)));
}
await reportCleanedUp();
killOrphanedGroup();
process.exit();
