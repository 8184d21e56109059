/**
 * Operations: reassign, unassign and undo, from their acceptance to the stored receipt. Start with `lifecycle.ts`.
 *
 * contract, jobs         requests and jobs, with their zod schemas
 * kinds                  what differs between kinds of operations
 * lifecycle, ending      accept, take the lock, run a slice, finish or fail; then cancel, move-one and preview
 * resolve-plan           from a request to its sources, targets and limit
 * run                    the loop that applies batches; select and undo plan them
 * moves-page             what an operation did, conversation by conversation
 * planner, batch, evaluate, surplus, shortfalls, sources-and-targets   pure rules
 * ports                  the database as the use cases see it; *-store and apply-batch implement it
 */
export { MongoBatchStore } from './batch-store.ts';
export { cancel, type CancelledQueue, cancelQueued, findQueued } from './cancel.ts';
export {
  type OperationRequest,
  type Sources,
  type Targets,
  cancelRequest,
  isOne,
  operationRequest,
  parseRequest,
} from './contract.ts';
export {
  MOVES_OF_PAGE_MAX,
  movesPlace,
  parseMovesRequest,
  type ConversationResult,
  type MovesPage,
  MOVES_JOB,
  parseMovesJob,
  toMovesPage,
} from './moves-job.ts';
export { failWith } from './ending.ts';
export { MongoFailureStore } from './failure-store.ts';
export {
  CANCEL_JOB,
  CANCEL_JOB_OPTIONS,
  CANCEL_QUEUED_JOB,
  OPERATION_JOB,
  OPERATION_JOB_OPTIONS,
  type CancelAnswer,
  type CancelQueuedAnswer,
  type OperationAnswer,
  operationJob,
  parseCancelJob,
  parseCancelQueuedJob,
  parseOperationJob,
  type FoundOperation,
  type Preview,
  FIND_JOB,
  FIND_JOB_OPTIONS,
  parseFindJob,
  parsePreviewJob,
  PREVIEW_JOB,
  PREVIEW_JOB_OPTIONS,
} from './jobs.ts';
export { needsCampaignLock } from './kinds.ts';
export { type SliceResult, runOperation } from './lifecycle.ts';
export { toOperation, toOperationOrClaim } from './mapping.ts';
export { OperationQueue } from './operation-queue.ts';
export type { SendingOrder } from './sending-order.ts';
export { MongoOperationStore } from './operation-store.ts';
export { MongoQueuedStore } from './queued-store.ts';
export type { OneCommand } from './move-one.ts';
export { MovesTogether } from './move-together.ts';
export { readMoves } from './moves-page.ts';
export { type Operation, type OperationOrClaim, type Plan, isClaim, NO_SEQUENCE } from './operation.ts';
export { type FailureStore, type Stores, Overtaken } from './ports.ts';
export {
  type AnyOperation,
  type OperationSelection,
  type OperationViewStore,
  type ViewedOperation,
  OPERATION_FILTERS,
} from './view-ports.ts';
export { countSelected, preview, refuseEarly, refuseUnconfirmed } from './preview.ts';
export { progressOf } from './progress.ts';
export type { SliceControls, SliceLimits } from './run.ts';
export { QueuedLoads } from './limits.ts';
export { TransactionSizes } from './apply-in-parts.ts';
export { MongoOperationViewStore } from './view-store.ts';
