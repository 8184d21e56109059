/**
 * Operations: reassign, unassign and undo, from their acceptance to the stored receipt. Start with `lifecycle.ts`.
 *
 * contract, jobs         requests and jobs, with their zod schemas
 * kinds                  what differs between kinds of operations
 * lifecycle, ending      accept, take the lock, run a slice, finish or fail; then cancel, move-one and preview
 * resolve-plan           from a request to its sources, targets and limit
 * run                    the loop that applies batches; select and undo plan them
 * planner, batch, evaluate, surplus, shortfalls, sources-and-targets   pure rules
 * ports                  the database as the use cases see it; *-store and apply-batch implement it
 */
export { MongoBatchStore } from './batch-store.ts';
export type { StoredBatch } from './batch.ts';
export { cancel } from './cancel.ts';
export {
  type OperationRequest,
  type RequestInput,
  type Sources,
  type Targets,
  isOne,
  parseRequest,
} from './contract.ts';
export { failWith } from './ending.ts';
export { MongoFailureStore } from './failure-store.ts';
export {
  type CancelAnswer,
  type FoundOperation,
  type OperationAnswer,
  type Preview,
  FIND_JOB,
  operationJob,
  parseCancelJob,
  parseFindJob,
  parseOperationJob,
  parsePreviewJob,
} from './jobs.ts';
export { needsCampaignLock } from './kinds.ts';
export { type SliceResult, runOperation } from './lifecycle.ts';
export { toOperationOrClaim } from './mapping.ts';
export { OperationQueue } from './operation-queue.ts';
export { MongoOperationStore } from './operation-store.ts';
export { type Operation, type OperationOrClaim, type Plan, isClaim } from './operation.ts';
export { type AnyOperation, type FailureStore, type OperationViewStore, type Stores, Overtaken } from './ports.ts';
export { countSelected, preview, refuseEarly } from './preview.ts';
export type { Progress, SliceLimits } from './run.ts';
export { TransactionSizes } from './transaction-size.ts';
export { MongoOperationViewStore } from './view-store.ts';
