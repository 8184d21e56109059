import type { DatabaseFacts, QueueFacts, QueueState } from '../telemetry/index.ts';

/** One thing looked at: `warn` works, though not as promised; `fail` does not work. */
export interface Check {
  readonly name: string;
  readonly outcome: 'ok' | 'warn' | 'fail';
  readonly found: string;
  /** What to do about it; `null` when nothing. */
  readonly todo: string | null;
}

const MONGODB_MAJOR_MIN = 5;
const REDIS_VERSION_MIN = [6, 2] as const;

export function databaseChecks({
  version,
  replicaSet,
  missingIndexes,
  indexConflicts,
  indexCount,
}: DatabaseFacts): Check[] {
  const isOld = Number.parseInt(version, 10) < MONGODB_MAJOR_MIN;
  const missing = missingIndexes.join('; ');
  return [
    isOld
      ? warn('MongoDB', `version ${version}`, `use MongoDB ${MONGODB_MAJOR_MIN} or newer`)
      : ok('MongoDB', `version ${version}`),
    replicaSet === null
      ? fail('transactions', 'a server on its own', 'run MongoDB as a replica set: batches are applied in transactions')
      : ok('transactions', replicaSet),
    missing === '' ? ok('indexes', `all ${indexCount}`) : warn('indexes', `missing: ${missing}`, 'run `baton migrate`'),
    ...indexConflicts.map((conflict) => warn('indexes', 'an index of another program', conflict)),
  ];
}

export function queueChecks({ version, maxmemoryPolicy, appendOnly, queues }: QueueFacts): Check[] {
  return [
    isOlder(version)
      ? warn('Redis', `version ${version}`, `use Redis ${REDIS_VERSION_MIN.join('.')} or newer`)
      : ok('Redis', `version ${version}`),
    maxmemoryPolicy === 'noeviction'
      ? ok('Redis eviction', maxmemoryPolicy)
      : fail('Redis eviction', maxmemoryPolicy, 'set maxmemory-policy to noeviction: others throw queued work away'),
    appendOnly
      ? ok('Redis persistence', 'appendonly yes')
      : warn(
          'Redis persistence',
          'appendonly no',
          'set appendonly to yes, or a restart forgets what no worker has seen',
        ),
    ...queues.map(queueCheck),
  ];
}

function queueCheck({ name, workers, counts }: QueueState): Check {
  const found = [`${workers} ${workers === 1 ? 'worker' : 'workers'}`]
    .concat(Object.entries(counts).map(([state, count]) => `${count} ${state}`))
    .join(', ');
  return workers > 0 ? ok(`queue ${name}`, found) : warn(`queue ${name}`, found, 'start a worker: `baton worker`');
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [majorMin, minorMin] = REDIS_VERSION_MIN;
  return major < majorMin || (major === majorMin && minor < minorMin);
}

const ok = (name: string, found: string): Check => ({ name, outcome: 'ok', found, todo: null });
const warn = (name: string, found: string, todo: string): Check => ({ name, outcome: 'warn', found, todo });
export const fail = (name: string, found: string, todo: string): Check => ({ name, outcome: 'fail', found, todo });
