import type { Command } from 'commander';
import { errorText } from '../../domain/safe-text.ts';
import { createContext } from '../../context.ts';
import type { IncompleteCampaign } from '../../conversations/index.ts';
import { readQueueFacts, type DatabaseFacts, type QueueFacts, type QueueState } from '../../telemetry/index.ts';
import { EXIT_FAILED } from '../errors.ts';
import { fail, ok, warn, type Check } from '../doctor/check.ts';
import { checkQueueFaults } from '../doctor/queue-fault-checks.ts';
import { batonVersion, type Session } from '../session.ts';
import { counted, facts, type Output } from '../terminal.ts';

const SIGNS = { ok: '✓', warn: '!', fail: '✗' } as const;
const MONGODB_MAJOR_MIN = 5;
const CAMPAIGNS_SHOWN_MAX = 5;
const REDIS_VERSION_MIN = [6, 2] as const;

export function addDoctor(program: Command, session: Session): void {
  program
    .command('doctor')
    .summary('check MongoDB, Redis and the workers')
    .action(async () => session.print(await runChecks(session)));
}

async function runChecks(session: Session): Promise<Output> {
  const checks = (
    await Promise.all([checkDatabase(session), checkQueue(session), checkQueueFaults(session.config)])
  ).flat();
  const ok = checks.every(({ outcome }) => outcome !== 'fail');
  if (!ok) session.exitStatus = EXIT_FAILED;
  const versions = { baton: batonVersion(), node: process.versions.node };
  return { json: { ok, versions, checks }, text: checksText(checks, versions) };
}

async function checkDatabase({ config }: Session): Promise<Check[]> {
  try {
    const context = await createContext(config);
    try {
      const facts = await context.health.readFacts();
      const isUsable = facts.missingIndexes.length + facts.indexConflicts.length === 0;
      const incomplete = isUsable ? documentChecks(await context.completeness.findIncomplete()) : [];
      return [...databaseChecks(facts), ...incomplete];
    } finally {
      await context.close();
    }
  } catch (error) {
    return [fail('MongoDB', errorText(error), 'set MONGODB_URI to the address of a running server')];
  }
}

async function checkQueue({ config }: Session): Promise<Check[]> {
  try {
    return queueChecks(await readQueueFacts(config.queue));
  } catch (error) {
    return [fail('Redis', errorText(error), 'set REDIS_URL to the address of a running server')];
  }
}

function databaseChecks({ version, replicaSet, missingIndexes, indexConflicts, indexCount }: DatabaseFacts): Check[] {
  const found = `version ${version}`;
  const missing = missingIndexes.join('; ');
  return [
    Number.parseInt(version, 10) < MONGODB_MAJOR_MIN
      ? warn('MongoDB', found, `use MongoDB ${MONGODB_MAJOR_MIN} or newer`)
      : ok('MongoDB', found),
    replicaSet === null
      ? fail('transactions', 'a single server', 'run MongoDB as a replica set: batches are applied in transactions')
      : ok('transactions', replicaSet),
    missing === ''
      ? ok('indexes', `all ${indexCount}`)
      : warn('indexes', `missing: ${missing}`, 'create them with `baton migrate`'),
    ...indexConflicts.map((conflict) => warn('indexes', 'an index of another program', conflict)),
  ];
}

/** What other programs have left incomplete, and the conversations that no texter of the campaign has. */
function documentChecks(campaigns: readonly IncompleteCampaign[]): Check[] {
  const check = (
    field: 'incomplete' | 'texters' | 'withoutTexter',
    name: string,
    what: string,
    todo: string,
  ): Check => {
    const found = campaigns.filter((campaign) => campaign[field] > 0);
    const listed = found.slice(0, CAMPAIGNS_SHOWN_MAX).map((each) => `${each[field]} in campaign ${each.campaignId}`);
    const more = found.length > listed.length ? `, and in ${found.length - listed.length} more campaigns` : '';
    return found.length === 0 ? ok(name, `none ${what}`) : warn(name, `${what}: ${listed.join(', ')}${more}`, todo);
  };
  return [
    check(
      'incomplete',
      'conversations',
      'incomplete',
      'operations skip them; complete them with `baton repair CAMPAIGN`',
    ),
    check('texters', 'texters', 'incomplete', 'they count as paused; complete them with `baton repair CAMPAIGN`'),
    check(
      'withoutTexter',
      'assignees',
      'not on the campaign',
      '`baton senders CAMPAIGN` names them; release their conversations with `baton unassign CAMPAIGN --from ID`',
    ),
  ];
}

function queueChecks({ version, maxmemoryPolicy, appendOnly, queues }: QueueFacts): Check[] {
  const found = `version ${version}`;
  return [
    isOlder(version) ? warn('Redis', found, `use Redis ${REDIS_VERSION_MIN.join('.')} or newer`) : ok('Redis', found),
    maxmemoryPolicy === 'noeviction'
      ? ok('Redis eviction', maxmemoryPolicy)
      : fail(
          'Redis eviction',
          maxmemoryPolicy,
          'set maxmemory-policy to noeviction: other policies delete queued jobs',
        ),
    appendOnly
      ? ok('Redis persistence', 'appendonly yes')
      : warn('Redis persistence', 'appendonly no', 'set appendonly to yes: a restart loses jobs that are still queued'),
    ...queues.map(queueCheck),
  ];
}

function queueCheck({ name, workers, counts }: QueueState): Check {
  const jobs = Object.entries(counts).map(([state, count]) => `${count} ${state}`);
  const found = [counted(workers, 'worker'), ...jobs].join(', ');
  return workers > 0 ? ok(`queue ${name}`, found) : warn(`queue ${name}`, found, 'start a worker: `baton worker`');
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [majorMin, minorMin] = REDIS_VERSION_MIN;
  return major < majorMin || (major === majorMin && minor < minorMin);
}

function checksText(checks: readonly Check[], versions: Readonly<Record<string, string>>): string {
  const lines = checks.map(({ name, outcome, found, todo }) => {
    const advice = todo === null ? '' : `: ${todo}`;
    return [`${SIGNS[outcome]} ${name}`, `${found}${advice}`] as const;
  });
  return facts([...Object.entries(versions).map(([name, version]) => [`  ${name}`, version] as const), ...lines]);
}
