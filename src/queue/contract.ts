/**
 * What travels through the queue: each kind of job with its queue's name, its own, its shape, its id and its options in one
 * file, and none of them named anywhere else. Producer and worker both read it here; `job.schema.json` is
 * made from it for producers in other languages.
 */
export * from './jobs/cancel-job.ts';
export * from './jobs/claim-job.ts';
export { DEFAULT_QUEUE_PREFIX } from './jobs/job.ts';
export { jobIdOf } from './jobs/job-id.ts';
export * from './jobs/operation-job.ts';
export * from './jobs/preview-job.ts';
export * from './jobs/request-hash.ts';
export * from './jobs/sweep-job.ts';
