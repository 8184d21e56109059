import type { Worker } from 'bullmq';

/** How BullMQ words it, once for each job, after it has said so by an event of its own. */
const NOT_RENEWED = /^could not renew lock for job (.*)$/;

/**
 * Hears of locks that could not be renewed, and tells which are news. A job that is given back loses its lock by that, and
 * a renewal on its way then fails: that is none. Any other that fails is: the job may be running elsewhere.
 */
export class LockWatch {
  private readonly released = new Map<string, NodeJS.Timeout>();
  private readonly lockMs: number;

  /** `lockMs`: how long a lock lasts; a renewal that was on its way has failed long before. */
  constructor(lockMs: number) {
    this.lockMs = lockMs;
  }

  /** A run of the job begins here: from now on its lock counts. */
  begin(jobId: string): void {
    clearTimeout(this.released.get(jobId));
    this.released.delete(jobId);
  }

  release(jobId: string): void {
    this.begin(jobId);
    this.released.set(jobId, setTimeout(() => this.begin(jobId), this.lockMs).unref());
  }

  /** A job whose lock is lost stops here; what it and whoever has it by now both write is guarded all the same. */
  watch(worker: Worker, onError: (error: Error) => void): void {
    worker.on('lockRenewalFailed', (jobIds) => {
      for (const id of jobIds) if (!this.released.has(id)) worker.cancelJob(id, 'lock lost');
    });
    worker.on('error', (error) => {
      const [, jobId] = NOT_RENEWED.exec(error.message) ?? [];
      if (jobId === undefined || !this.released.has(jobId)) onError(error);
    });
  }
}
