import type { RedisConnection } from '../queue/connection.ts';
import { Queue } from 'bullmq';
import { RECONCILE_JOB, RECONCILE_JOB_OPTIONS } from './reconcile-job.ts';
import { RECONCILE_QUEUE } from '../queue/names.ts';

/** One at a time, over all workers. */
const RECONCILE_AT_ONCE_MAX = 1;
/** A schedule whose next reconcile is this many periods late has lost its job. */
const LATE_PERIODS_MAX = 5;

/** The schedule that makes the reconcile's jobs. It lies in Redis, where it can be lost with everything else. */
export class ReconcileSchedule {
  private readonly queue: Queue;
  private readonly everyMs: number;

  constructor(connection: RedisConnection, prefix: string, everyMs: number, onError: (error: Error) => void) {
    this.everyMs = everyMs;
    this.queue = new Queue(RECONCILE_QUEUE, { connection, prefix });
    this.queue.on('error', onError);
  }

  /** Puts the schedule there, whatever it was before. Workers that do so at the same time make one schedule. */
  async put(): Promise<void> {
    await this.queue.setGlobalConcurrency(RECONCILE_AT_ONCE_MAX);
    const template = { name: RECONCILE_JOB, data: {}, opts: RECONCILE_JOB_OPTIONS };
    await this.queue.upsertJobScheduler(RECONCILE_JOB, { every: this.everyMs }, template);
  }

  /** Puts it back if it is gone, or makes no jobs any more. Says whether it had to. */
  async restore(): Promise<boolean> {
    const scheduler = await this.queue.getJobScheduler(RECONCILE_JOB);
    if (scheduler && !isStuck(scheduler.next, scheduler.every ?? this.everyMs)) return false;
    await this.put();
    return true;
  }

  async close(): Promise<void> {
    await this.queue.close();
  }
}

function isStuck(next: number | undefined, everyMs: number): boolean {
  return next !== undefined && Date.now() - next > LATE_PERIODS_MAX * everyMs;
}
