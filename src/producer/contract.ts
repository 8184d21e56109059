/**
 * What travels through the queue: each kind of job with its queue's name, its own, its shape, its id and its options in one
 * file, and none of them named anywhere else. Producer and worker both read it here; `job.schema.json` is
 * made from it for producers in other languages.
 */
export * from '../operations/cancel-job.ts';
export * from '../claims/claim-job.ts';
export { DEFAULT_QUEUE_PREFIX } from '../queue/job.ts';
export { jobIdOf } from '../queue/job-id.ts';
export * from '../operations/operation-job.ts';
export * from '../operations/preview-job.ts';
export * from './request-hash.ts';
export * from '../reconcile/reconcile-job.ts';
