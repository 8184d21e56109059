import type { Job, Worker } from 'bullmq';

/** How often the lock of a running job is renewed while it lasts. Some renewals may be late or lost. */
const RENEWALS_PER_LOCK = 4;

/** One run of a job by this worker. */
export interface Run {
  /** Aborted when the worker closes or the lock of the job is lost. */
  readonly signal: AbortSignal;
  /** Call it when the run has ended, and before the job is returned to the queue. */
  readonly end: () => void;
}

/**
 * Renews the locks of running jobs, and stops a run whose lock is lost, because another worker may run the job by then.
 *
 * BullMQ's own renewal is switched off. BullMQ 6.7 keeps one entry for each job id and removes it when a run of the job ends.
 * When one slot of a worker returns a job and another slot of the same worker takes it before the first slot has ended, two
 * things go wrong. The end of the first run removes the entry of the second: its lock expires, and the job runs twice. And a
 * renewal that was sent for the first run fails: BullMQ reports that the second run has lost its lock.
 * `test/workers/returned-jobs.test.ts` shows both, and fails when BullMQ no longer does this.
 */
export class LockWatch {
  private readonly runs = new Map<object, AbortController>();
  private readonly lockMs: number;
  private isClosing = false;
  private onError: (error: Error) => void = () => undefined;

  /** `lockMs`: how long a lock lasts without a renewal. */
  constructor(lockMs: number) {
    this.lockMs = lockMs;
  }

  /** Call it when a run begins. `token` is the one with which the worker took the job. */
  begin(job: Job, token: string): Run {
    const stop = new AbortController();
    const run = {};
    if (this.isClosing) stop.abort('shutdown');
    this.runs.set(run, stop);
    let isRenewing = false;
    const timer = setInterval(() => {
      if (isRenewing) return;
      isRenewing = true;
      void this.renew(job, token, run).finally(() => (isRenewing = false));
    }, this.lockMs / RENEWALS_PER_LOCK);
    const end = (): void => {
      clearInterval(timer);
      this.runs.delete(run);
    };
    return { signal: stop.signal, end };
  }

  /** Reports lost locks and the worker's errors to `onError`, and stops the runs when the worker closes. */
  watch(worker: Worker, onError: (error: Error) => void): void {
    this.onError = onError;
    worker.on('error', onError);
    worker.on('closing', () => {
      this.isClosing = true;
      for (const stop of this.runs.values()) stop.abort('shutdown');
    });
  }

  /** The answer counts only if the run has not ended meanwhile: a job that is returned to the queue has no lock. */
  private async renew(job: Job, token: string, run: object): Promise<void> {
    try {
      const isRenewed = (await job.extendLock(token, this.lockMs)) === 1;
      const stop = this.runs.get(run);
      if (isRenewed || stop === undefined || stop.signal.aborted) return;
      stop.abort('lock lost');
      this.onError(new Error(`could not renew the lock of job ${job.id ?? ''}`));
    } catch (error) {
      if (this.runs.has(run)) this.onError(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
