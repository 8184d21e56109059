export { withFailedJobs } from './failed-jobs.ts';
export { LostJobs } from './lost-jobs.ts';
export type { ReconcileStore } from './ports.ts';
export { reconcile, type ReconcileDeps } from './reconcile.ts';
export { MongoReconcileStore } from './reconcile-store.ts';
export { ReconciledQueues } from './reconciled-jobs.ts';
export { failedOperations, findFailed, retry, type FailedOperation, type RetryDeps } from './retry.ts';
export { ReconcileSchedule } from './schedule.ts';
