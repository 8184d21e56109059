import { Queue, type JobSchedulerJson } from 'bullmq';
import { CONNECTION_FAILED, type ErrorReporter, type RedisConnection } from '../queue/connection.ts';
import { RECONCILE_QUEUE } from '../queue/job.ts';

/** The job that runs one reconcile pass, and the name of the BullMQ job scheduler that creates it. */
const RECONCILE_JOB = 'reconcile';

/** A failed pass is not retried: the next pass does its work. */
const RECONCILE_JOB_OPTIONS = { attempts: 1, removeOnComplete: true, removeOnFail: true } as const;

/** Over all workers together. */
const PASSES_AT_ONCE_MAX = 1;
/** A scheduler whose next job is this many periods late creates no jobs any more. */
const LATE_PERIODS_MAX = 5;
/** The next job is at most one period ahead, if the clock of the worker that wrote the schedule was right. */
const AHEAD_PERIODS_MAX = 2;
/** BullMQ's keys of the schedule, with their types. */
const SCHEDULE_KEYS = [
  ['repeat', 'zset'],
  [`repeat:${RECONCILE_JOB}`, 'hash'],
] as const;
/** Spreads the checks of workers that were started together. */
const JITTER = 0.25;

/**
 * Keeps the schedule of the reconcile job in Redis. Redis can lose the schedule with everything else, and without a
 * reconcile pass nothing would notice. Therefore every worker checks the schedule at intervals and restores it.
 */
export class ReconcileSchedule {
  private readonly queue: Queue;
  private readonly connection: RedisConnection;
  private readonly everyMs: number;
  private readonly onScheduleError: (error: Error) => void;
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(connection: RedisConnection, prefix: string, everyMs: number, reporter: ErrorReporter) {
    this.connection = connection;
    this.everyMs = everyMs;
    this.onScheduleError = reporter('the schedule of reconcile could not be written; the next check tries again');
    this.queue = new Queue(RECONCILE_QUEUE, { connection, prefix });
    this.queue.on('error', reporter(CONNECTION_FAILED));
  }

  /** Writes the schedule with this worker's settings, and starts the checks. */
  start(): void {
    this.restore()
      .then(() => this.write())
      .catch(this.onScheduleError);
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
    await this.restore().catch((error: Error) => {
      // Closing cuts the connection.
      if (!this.isClosed) this.onScheduleError(error);
    });
    this.checkLater();
  }

  private async restore(): Promise<void> {
    if (await this.isInOrder()) return;
    await this.remove();
    await this.write();
  }

  /**
   * Returns false if the schedule is missing or damaged, if its next job is lost or late, or if that job is too far ahead: the
   * worker that wrote the schedule had a fast clock, and may be gone. All workers compare with the clock of Redis.
   */
  private async isInOrder(): Promise<boolean> {
    const scheduler = await this.read();
    if (scheduler?.next === undefined) return false;
    const { next, every = this.everyMs } = scheduler;
    const aheadMs = next - (await this.redisTimeMs());
    if (aheadMs > AHEAD_PERIODS_MAX * every || -aheadMs > LATE_PERIODS_MAX * every) return false;
    if ((await this.queue.getJobState(`repeat:${RECONCILE_JOB}:${next}`)) !== 'unknown') return true;
    // The job may have ended since the schedule was read; then the schedule has another next job.
    return (await this.read())?.next !== next;
  }

  private async read(): Promise<JobSchedulerJson | undefined> {
    try {
      return await this.queue.getJobScheduler(RECONCILE_JOB);
    } catch (error) {
      if (isDamage(error)) return undefined;
      throw error;
    }
  }

  private async redisTimeMs(): Promise<number> {
    const [seconds, microseconds] = await this.connection.time();
    return Number(seconds) * 1_000 + Number(microseconds) / 1_000;
  }

  private async remove(): Promise<void> {
    for (const [name, type] of SCHEDULE_KEYS) {
      const key = this.queue.toKey(name);
      if ((await this.connection.type(key)) !== type) await this.connection.del(key);
    }
    await this.queue.removeJobScheduler(RECONCILE_JOB);
  }

  /** Workers that write the schedule at the same time create one schedule. */
  private async write(): Promise<void> {
    await this.queue.setGlobalConcurrency(PASSES_AT_ONCE_MAX);
    const template = { name: RECONCILE_JOB, data: {}, opts: RECONCILE_JOB_OPTIONS };
    await this.queue.upsertJobScheduler(RECONCILE_JOB, { every: this.everyMs }, template);
  }
}

/** Fields that are not JSON, or a key of another type. */
function isDamage(error: unknown): boolean {
  return error instanceof SyntaxError || (error instanceof Error && error.message.includes('WRONGTYPE'));
}
