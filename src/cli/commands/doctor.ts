import type { Command } from 'commander';
import { createContext } from '../../context.ts';
import { readQueueFacts } from '../../telemetry/index.ts';
import { databaseChecks, fail, queueChecks, type Check } from '../checks.ts';
import { facts, type Answer } from '../output.ts';
import { EXIT_FAILED, type Session } from '../session.ts';
import { batonVersion } from '../version.ts';

const SIGNS = { ok: '✓', warn: '!', fail: '✗' } as const;

export function addDoctor(program: Command, session: Session): void {
  program
    .command('doctor')
    .summary('check what Baton stands on')
    .action(async () => session.answer(await examine(session)));
}

async function examine(session: Session): Promise<Answer> {
  const checks = (await Promise.all([examineDatabase(session), examineQueue(session)])).flat();
  const isWell = checks.every(({ outcome }) => outcome !== 'fail');
  if (!isWell) session.exitStatus = EXIT_FAILED;
  const versions = { baton: batonVersion(), node: process.versions.node };
  return { json: { ok: isWell, versions, checks }, text: told(checks, versions) };
}

/** Over a context of its own: looking must not make what it finds missing. */
async function examineDatabase({ config }: Session): Promise<Check[]> {
  try {
    const context = await createContext(config);
    try {
      return databaseChecks(await context.health.readFacts());
    } finally {
      await context.close();
    }
  } catch (error) {
    return [fail('MongoDB', messageOf(error), 'see to it that MONGODB_URI names a server that answers')];
  }
}

async function examineQueue({ config }: Session): Promise<Check[]> {
  try {
    return queueChecks(await readQueueFacts(config.queue));
  } catch (error) {
    return [fail('Redis', messageOf(error), 'see to it that REDIS_URL names a server that answers')];
  }
}

/** A refused connection's own error has no words: those of what lies beneath do. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message || error.name : String(error);
}

function told(checks: readonly Check[], versions: Readonly<Record<string, string>>): string {
  const lines = checks.map(({ name, outcome, found, todo }) => {
    const advice = todo === null ? '' : `: ${todo}`;
    return [`${SIGNS[outcome]} ${name}`, `${found}${advice}`] as const;
  });
  return facts([...Object.entries(versions).map(([name, version]) => [`  ${name}`, version] as const), ...lines]);
}
