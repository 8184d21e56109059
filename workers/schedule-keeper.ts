import type { ReconcileSchedule } from '../src/reconcile/index.ts';

/** Workers that were started together should not look together. */
const JITTER = 0.25;

/** Sees to it that there is a schedule for the reconcile: Redis may have lost it, and then nobody else would notice. */
export class ScheduleKeeper {
  private readonly schedule: ReconcileSchedule;
  private readonly everyMs: number;
  private readonly onError: (error: Error) => void;
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(schedule: ReconcileSchedule, everyMs: number, onError: (error: Error) => void) {
    this.schedule = schedule;
    this.everyMs = everyMs;
    this.onError = onError;
  }

  /** Puts the schedule there as this worker is configured; from then on it looks whether it is. */
  start(): void {
    this.schedule.put().catch(this.onError);
    this.lookLater();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.timer);
    await this.schedule.close();
  }

  private lookLater(): void {
    if (this.isClosed) return;
    const jitter = 1 + JITTER * (2 * Math.random() - 1);
    this.timer = setTimeout(() => void this.look(), this.everyMs * jitter);
  }

  private async look(): Promise<void> {
    await this.schedule.restore().catch(this.onError);
    this.lookLater();
  }
}
