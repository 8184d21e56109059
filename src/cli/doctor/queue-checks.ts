import type { Config } from '../../config.ts';
import { errorText } from '../../domain/safe-text.ts';
import { withRedis } from '../../queue/connection.ts';
import { meaningOf } from '../../queue/redis-errors.ts';
import { tryRedis } from '../../queue/redis-rights.ts';
import {
  readQueueFacts,
  readQueueFaults,
  type QueueFacts,
  type QueueFaults,
  type QueueState,
} from '../../telemetry/index.ts';
import { counted } from '../terminal.ts';
import { fail, ok, warn, type Check } from './check.ts';

const REDIS_VERSION_MIN = [6, 2] as const;
const JOBS_SHOWN_MAX = 3;

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

/** Returns no checks when Redis cannot be reached: another check reports that. */
export async function checkQueueFaults({ queue }: Config): Promise<Check[]> {
  const faults = await readQueueFaults(queue).catch(() => undefined);
  return faults ? [...settingChecks(faults), setAsideCheck(faults)] : [];
}

function settingChecks({ settings }: QueueFaults): Check[] {
  if (settings.length === 0) return [ok('queue settings', 'no queue is paused or limited')];
  return settings.map(({ queue, isPaused, found }) => {
    const name = `queue ${queue}`;
    const text = `the queue ${found.join(' and ')}`;
    if (isPaused) return fail(name, text, 'its jobs wait until it is resumed; resume it where it was paused');
    return warn(name, text, 'Baton sets no such limit; remove it where it was set, unless it is wanted');
  });
}

function setAsideCheck({ setAside }: QueueFaults): Check {
  if (setAside.length === 0) return ok('jobs set aside', 'none');
  const shown = setAside.slice(0, JOBS_SHOWN_MAX).map((job) => `${job.jobId} of ${job.queue} ${job.problem}`);
  const more = setAside.length > shown.length ? `; and ${setAside.length - shown.length} more` : '';
  const todo =
    'accepted operations continue by themselves; send other requests again; ' +
    'the key "set-aside" in Redis keeps the raw bodies for 14 days';
  return warn('jobs set aside', `${counted(setAside.length, 'job')}: ${shown.join('; ')}${more}`, todo);
}
