/** The supervisor: finds or starts the services, runs the command, and stops the services that it started. */
import { safeText } from '../../src/domain/safe-text.ts';
import { announce, announcementFile, readAnnouncement } from './announcement.ts';
import { reportCleanedUp } from './cleanup.ts';
import { commandNames, findCommand, type Command } from './commands.ts';
import { log, SetupError } from './messages.ts';
import { startServices, type Services } from './services.ts';
import { forwardSignals, ignoreSignals, killOrphanedGroup, runStep } from './steps.ts';

const EXIT_CANNOT_START = 2;

async function main(name: string, args: readonly string[]): Promise<number> {
  const command = findCommand(name);
  if (command === undefined) throw new SetupError(`unknown command "${name}"; expected ${commandNames.join(', ')}`);
  Object.assign(process.env, command.env);
  for (const step of command.first ?? []) {
    log(`${step.name}…`);
    const status = await runStep(step, [], process.env);
    if (status !== 0) return status;
  }
  return command.services === 'own' ? runWithServices(command, args) : runWithAnnounced(command, args);
}

async function runWithServices(command: Command, args: readonly string[]): Promise<number> {
  const services = await startServices();
  const removeAnnouncement = command.announce === true ? announceServices(services) : undefined;
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

function announceServices(services: Services): (() => void) | undefined {
  if (!services.wereStarted) return undefined;
  log('their data are gone when this command stops');
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
