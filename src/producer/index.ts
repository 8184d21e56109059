export { requestOfJob } from './request-hash.ts';
export { RECONCILE_JOB, RECONCILE_JOB_OPTIONS } from '../reconcile/index.ts';
export {
  CLAIM_JOB,
  CLAIM_JOB_OPTIONS,
  type ClaimAnswer,
  POOL_REFILLED_JOB,
  newClaimJob,
  newPoolRefilledJob,
  parseClaimJob,
  parsePoolRefilledJob,
  poolRefilledJobOptions,
} from '../claims/index.ts';
export { type PreviewRequest, parsePreviewJob } from '../operations/index.ts';
export {
  OPERATION_JOB,
  OPERATION_JOB_OPTIONS,
  type OperationAnswer,
  newOperationJob,
  operationJob,
  parseOperationJob,
} from '../operations/index.ts';
export { type CancelAnswer, type CancelInput, parseCancelJob } from '../operations/index.ts';
export { requestHash } from '../domain/request-hash.ts';
export { jobIdOf } from '../queue/job-id.ts';
export { CLAIMS_QUEUE, CONTROLS_QUEUE, OPERATIONS_QUEUE, PREVIEWS_QUEUE, RECONCILE_QUEUE } from '../queue/names.ts';
export type {
  ClaimInput,
  ClaimResult,
  OperationResult,
  Producer,
  ProducerOptions,
  Sent,
  SentClaim,
} from './producer-port.ts';
export { createProducer } from './producer.ts';
