import { Queue } from 'bullmq';
import { CONNECTION_FAILED, type ErrorReporter, type RedisConnection } from '../queue/connection.ts';
import { RECONCILE_QUEUE } from '../queue/job.ts';

/** The job that runs one reconcile pass, and the name of the BullMQ job scheduler that creates it. */
const RECONCILE_JOB = 'reconcile';

/** A failed pass is not retried: the next pass does its work. */
const RECONCILE_JOB_OPTIONS = { attempts: 1, removeOnComplete: true, removeOnFail: true } as const;

/** Over all workers together. */
const PASSES_AT_ONCE_MAX = 1;
/** A scheduler whose next job is this many periods late has lost its job. */
const LATE_PERIODS_MAX = 5;
/** Spreads the checks of workers that were started together. */
const JITTER = 0.25;

/**
 * Keeps the schedule of the reconcile job in Redis. Redis can lose the schedule with everything else, and without a
 * reconcile pass nothing would notice. Therefore every worker checks the schedule at intervals and restores it.
 */
export class ReconcileSchedule {
  private readonly queue: Queue;
  private readonly everyMs: number;
  private readonly onScheduleError: (error: Error) => void;
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(connection: RedisConnection, prefix: string, everyMs: number, reporter: ErrorReporter) {
    this.everyMs = everyMs;
    this.onScheduleError = reporter('the schedule of reconcile could not be written; the next check tries again');
    this.queue = new Queue(RECONCILE_QUEUE, { connection, prefix });
    this.queue.on('error', reporter(CONNECTION_FAILED));
  }

  /** Writes the schedule with this worker's settings, and starts the checks. */
  start(): void {
    this.write().catch(this.onScheduleError);
    this.checkLater();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.timer);
    await this.queue.close();
  }

  private checkLater(): void {
    if (this.isClosed) return;
    const jitter = 1 + JITTER * (2 * Math.random() - 1);
    this.timer = setTimeout(() => void this.check(), this.everyMs * jitter);
  }

  private async check(): Promise<void> {
    await this.restore().catch(this.onScheduleError);
    this.checkLater();
  }

  /** Writes the schedule if it is missing or creates no jobs any more. */
  private async restore(): Promise<void> {
    const scheduler = await this.queue.getJobScheduler(RECONCILE_JOB);
    if (scheduler && !isStuck(scheduler.next, scheduler.every ?? this.everyMs)) return;
    await this.write();
  }

  /** Workers that write the schedule at the same time create one schedule. */
  private async write(): Promise<void> {
    await this.queue.setGlobalConcurrency(PASSES_AT_ONCE_MAX);
    const template = { name: RECONCILE_JOB, data: {}, opts: RECONCILE_JOB_OPTIONS };
    await this.queue.upsertJobScheduler(RECONCILE_JOB, { every: this.everyMs }, template);
  }
}

function isStuck(next: number | undefined, everyMs: number): boolean {
  return next !== undefined && Date.now() - next > LATE_PERIODS_MAX * everyMs;
}
