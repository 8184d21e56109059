import type { Config } from '../../config.ts';
import { readQueueFaults, type QueueFaults } from '../../telemetry/index.ts';
import { counted } from '../terminal.ts';
import { fail, ok, warn, type Check } from './check.ts';

const JOBS_SHOWN_MAX = 3;

/** Returns nothing when Redis cannot be reached: another check says so. */
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
