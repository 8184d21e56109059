/** The sweep: one job at a time over all workers, made by a schedule of this name. Nobody outside sends one. */
export const SWEEPS_QUEUE = 'sweeps';
export const SWEEP_JOB = 'sweep';

/** The next one makes good for one that fails. */
export const SWEEP_JOB_OPTIONS = { attempts: 1, removeOnComplete: true, removeOnFail: true } as const;
