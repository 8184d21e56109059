/** The reconcile: one job at a time over all workers, made by a schedule of this name. Nobody outside sends one. */
export const RECONCILE_JOB = 'reconcile';

/** The next one makes good for one that fails. */
export const RECONCILE_JOB_OPTIONS = { attempts: 1, removeOnComplete: true, removeOnFail: true } as const;
