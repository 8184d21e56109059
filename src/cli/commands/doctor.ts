import type { Command } from 'commander';
import type { Check } from '../doctor/check.ts';
import { EXIT_FAILED } from '../errors.ts';
import type { Session } from '../session.ts';
import { batonVersion } from '../version.ts';
import { facts, type Output } from '../terminal.ts';

const SIGNS = { ok: '✓', warn: '!', fail: '✗' } as const;

export function addDoctor(program: Command, session: Session): void {
  program.command('doctor').action(async () => session.print(await runChecks(session)));
}

async function runChecks(session: Session): Promise<Output> {
  const { config } = session;
  const [{ checkDatabase }, { checkOwner }, { checkQueue, checkQueueFaults }] = await Promise.all([
    import('../doctor/database-checks.ts'),
    import('../doctor/owner-checks.ts'),
    import('../doctor/queue-checks.ts'),
  ]);
  const running = [checkDatabase(config), checkOwner(config), checkQueue(config), checkQueueFaults(config)];
  const checks = (await Promise.all(running)).flat();
  const ok = checks.every(({ outcome }) => outcome !== 'fail');
  if (!ok) session.exitStatus = EXIT_FAILED;
  const versions = { baton: batonVersion(), node: process.versions.node };
  return { json: { ok, versions, checks }, text: checksText(checks, versions) };
}

function checksText(checks: readonly Check[], versions: Readonly<Record<string, string>>): string {
  const lines = checks.map(({ name, outcome, found, todo }) => {
    const advice = todo === null ? '' : `: ${todo}`;
    return [`${SIGNS[outcome]} ${name}`, `${found}${advice}`] as const;
  });
  return facts([...Object.entries(versions).map(([name, version]) => [`  ${name}`, version] as const), ...lines]);
}
