import type { Worker } from 'bullmq';

/** BullMQ emits an error with this text for each job whose lock it could not renew, after `lockRenewalFailed`. */
export const LOCK_NOT_RENEWED = /^could not renew lock for job (.*)$/;

/**
 * Stops jobs whose lock is lost, because another worker may run them by then. A job that is returned to the queue also
 * loses its lock, and a renewal that was on its way then fails; that is no error.
 */
export class LockWatch {
  private readonly released = new Map<string, NodeJS.Timeout>();
  private readonly lockMs: number;

  /** `lockMs`: the duration of a lock. A renewal sent before the release fails within this time. */
  constructor(lockMs: number) {
    this.lockMs = lockMs;
  }

  /** A run of the job begins. From now on a failed renewal counts. */
  begin(jobId: string): void {
    clearTimeout(this.released.get(jobId));
    this.released.delete(jobId);
  }

  /** The job is about to be returned to the queue. */
  release(jobId: string): void {
    this.begin(jobId);
    this.released.set(jobId, setTimeout(() => this.begin(jobId), this.lockMs).unref());
  }

  /** Passes the worker's errors on to `onError`, except for the failed renewals of released jobs. */
  watch(worker: Worker, onError: (error: Error) => void): void {
    worker.on('lockRenewalFailed', (jobIds) => {
      for (const id of jobIds) if (!this.released.has(id)) worker.cancelJob(id, 'lock lost');
    });
    worker.on('error', (error) => {
      const [, jobId] = LOCK_NOT_RENEWED.exec(error.message) ?? [];
      if (jobId === undefined || !this.released.has(jobId)) onError(error);
    });
  }
}
