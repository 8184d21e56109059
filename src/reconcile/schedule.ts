import type { RedisConnection } from '../queue/connection.ts';
import { Queue } from 'bullmq';
import { SWEEP_JOB, SWEEP_JOB_OPTIONS, SWEEPS_QUEUE } from '../producer/contract.ts';

/** One at a time, over all workers. */
const SWEEPS_AT_ONCE = 1;
/** A schedule whose next sweep is this many periods late has lost its job. */
const LATE_PERIODS_MAX = 5;

/** The schedule that makes the sweep's jobs. It lies in Redis, where it can be lost with everything else. */
export class SweepSchedule {
  private readonly queue: Queue;
  private readonly everyMs: number;

  constructor(connection: RedisConnection, prefix: string, everyMs: number, onError: (error: Error) => void) {
    this.everyMs = everyMs;
    this.queue = new Queue(SWEEPS_QUEUE, { connection, prefix });
    this.queue.on('error', onError);
  }

  /** Puts the schedule there, whatever it was before. Workers that do so at the same time make one schedule. */
  async put(): Promise<void> {
    await this.queue.setGlobalConcurrency(SWEEPS_AT_ONCE);
    const template = { name: SWEEP_JOB, data: {}, opts: SWEEP_JOB_OPTIONS };
    await this.queue.upsertJobScheduler(SWEEP_JOB, { every: this.everyMs }, template);
  }

  /** Puts it back if it is gone, or makes no jobs any more. Says whether it had to. */
  async restore(): Promise<boolean> {
    const scheduler = await this.queue.getJobScheduler(SWEEP_JOB);
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
