/**
 * Operations: reassign, unassign and undo, from their acceptance to the stored receipt. Start with `lifecycle.ts`. In the order in
 * which a bulk operation passes through them:
 *
 * contract, jobs         requests and jobs, with their zod schemas
 * sending-order          whether a job may be accepted yet; sent-jobs reads the others, accept-taken accepts several
 * lifecycle              accept, take the lock, run a slice, finish or fail
 * kinds                  what differs between kinds of operations
 * resolve-plan           from a request to its sources, targets and limit; resolve-named for named conversations
 * select, list, undo     plan the batches; select reads the candidates, and the planner deals them
 * run, apply-in-parts    the loop that stores and applies batches
 * apply-batch            the transaction of a part; move-writer writes its moves
 * ending                 ends the operation; ending-receipt makes its receipt
 *
 * move-one, move-together   single moves, each in one transaction
 * cancel, preview, progress, moves-page   for those who ask
 * batch, moves, evaluate, surplus, sources-and-targets   pure rules
 * ports, view-ports      the database as the use cases see it; *-store, insert-operation and single-moves implement it
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
