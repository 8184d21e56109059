import type { Worker } from 'bullmq';

/** How BullMQ words it, once for each job, after it has said so by an event of its own. */
const NOT_RENEWED = /^could not renew lock for job (.*)$/;

/**
 * A worker's locks on its jobs. A job that is given back loses its lock by that, and a renewal that was on its way then
 * fails: that is no news. Any other that fails is: the job may be running elsewhere.
 */
export class Locks {
  private readonly givenBack = new Set<string>();
  private readonly lockMs: number;

  /** `lockMs`: how long a lock lasts; a renewal that was on its way has failed long before. */
  constructor(lockMs: number) {
    this.lockMs = lockMs;
  }

  giveBack(jobId: string): void {
    this.givenBack.add(jobId);
    setTimeout(() => this.givenBack.delete(jobId), this.lockMs).unref();
  }

  /** A job whose lock is lost stops here; what it and whoever has it by now both write is guarded all the same. */
  watch(worker: Worker, onError: (error: Error) => void): void {
    worker.on('lockRenewalFailed', (jobIds) => {
      for (const id of jobIds) if (!this.givenBack.has(id)) worker.cancelJob(id, 'lock lost');
    });
    worker.on('error', (error) => {
      const [, jobId] = NOT_RENEWED.exec(error.message) ?? [];
      if (jobId === undefined || !this.givenBack.has(jobId)) onError(error);
    });
  }
}
