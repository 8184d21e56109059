import type { Config } from '../../config.ts';
import { errorText } from '../../domain/safe-text.ts';
import { withRedis } from '../../queue/connection.ts';
import { meaningOf } from '../../queue/redis-errors.ts';
import { tryRedis } from '../../queue/redis-rights.ts';
import { readQueueFacts, type QueueFacts, type QueueState } from '../../telemetry/index.ts';
import { counted } from '../terminal.ts';
import { fail, ok, warn, type Check } from './check.ts';

const REDIS_VERSION_MIN = [6, 2] as const;

export async function checkQueue(config: Config): Promise<Check[]> {
  try {
    const { redisUrl, prefix } = config.queue;
    const problems = await withRedis(redisUrl, (redis) => tryRedis(redis, prefix));
    if (problems.length > 0) return problems.map(({ kind, message }) => fail('Redis', `cannot ${kind}`, message));
    return [ok('Redis rights', 'all'), ...queueChecks(await readQueueFacts(config.queue))];
  } catch (error) {
    const todo = meaningOf(error)?.words ?? 'set REDIS_URL to the address of a running server';
    return [fail('Redis', errorText(error), todo)];
  }
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
  const jobs = Object.entries(counts).flatMap(([state, count]) => (count > 0 ? [`${count} ${state}`] : []));
  const found = [counted(workers, 'worker'), ...(jobs.length > 0 ? jobs : ['no jobs'])].join(', ');
  return workers > 0 ? ok(`queue ${name}`, found) : warn(`queue ${name}`, found, 'start a worker: `baton worker`');
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [majorMin, minorMin] = REDIS_VERSION_MIN;
  return major < majorMin || (major === majorMin && minor < minorMin);
}
