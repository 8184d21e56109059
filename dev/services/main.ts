/** The supervisor: finds or starts the services, runs the command among them, stops what it started. */
import { commandNames, findCommand, type Command } from './commands.ts';
import { ignoreSignals, passSignalsOn, runStep, takeGroupAlong } from './inner.ts';
import { announce, readAnnouncement } from './running.ts';
import { say, SetupError } from './say.ts';
import { startServices, type Services } from './services.ts';
import { tellTidied } from './undo.ts';

const EXIT_CANNOT_START = 2;

async function main(name: string, args: readonly string[]): Promise<number> {
  const command = findCommand(name);
  if (command === undefined) throw new SetupError(`expected one of ${commandNames.join(', ')}, got "${name}"`);
  for (const step of command.first ?? []) {
    say(`${step.name}…`);
    const status = await runStep(step, [], process.env);
    if (status !== 0) return status;
  }
  return command.services === 'own' ? runAmongServices(command, args) : runAmongRunning(command, args);
}

async function runAmongServices(command: Command, args: readonly string[]): Promise<number> {
  const services = await startServices();
  const takeBack = command.announce === true ? announceServices(services) : undefined;
  try {
    const env = { ...process.env, ...services.env };
    for (const step of command.prepare ?? []) {
      const status = await runStep(step, [], env);
      if (status !== 0) return status;
    }
    return await runStep(command.run, args, env);
  } finally {
    ignoreSignals();
    takeBack?.();
    await services.stop();
  }
}

function announceServices(services: Services): (() => void) | undefined {
  if (!services.isPrivate) return undefined;
  say('other terminals of this checkout find these services by themselves (`npm run baton -- …`); elsewhere:');
  say(`  export MONGODB_URI='${services.mongodbUri}' REDIS_URL='${services.redisUrl}'`);
  return announce(services.env);
}

/** What the environment says wins, each name by itself. */
function runAmongRunning(command: Command, args: readonly string[]): Promise<number> {
  return runStep(command.run, args, { ...readAnnouncement(), ...process.env });
}

passSignalsOn();
const [name = '', ...args] = process.argv.slice(2);
try {
  process.exitCode = await main(name, args);
} catch (error) {
  process.exitCode = error instanceof SetupError ? EXIT_CANNOT_START : 1;
  say(error instanceof SetupError ? error.message : String(error instanceof Error ? error.stack : error));
}
await tellTidied();
takeGroupAlong();
process.exit();
