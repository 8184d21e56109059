import type { DamagedRecord } from '../mongo/stored-values.ts';
import type { Claim, ClaimRequest } from '../claims/index.ts';
import type { OperationKind, OperationRecord } from '../domain/operation.ts';
import type { StoredBatch } from './batch.ts';
import type { OperationRequest } from './contract.ts';

/** An operation or claim as people and programs see it, without the fields that only workers need. */
export type AnyOperation = OperationRecord<OperationRequest | ClaimRequest> & Partial<Pick<Claim, 'granted'>>;

/** A batch, and when it was applied. */
export interface ViewedBatch extends StoredBatch {
  readonly appliedAt: Date | null;
}

/** How many batches are read with one query, and in all. */
export interface BatchReads {
  readonly atOnceMax: number;
  readonly inAllMax: number;
}

export interface ViewedOperation extends AnyOperation {
  /** For an operation that waits for others of its campaign: how many run before it. */
  readonly ahead?: number;
  /** For a running operation, when somebody asked for it. */
  readonly progress?: OperationProgress;
}

/** How many conversations a running operation has moved, and how many it still has to decide about. */
export interface OperationProgress {
  readonly moved: number;
  readonly left: number;
}

/** What people look for. A refused operation has failed for good; a failed one can be retried. */
export const OPERATION_FILTERS = ['accepted', 'running', 'done', 'cancelled', 'failed', 'refused'] as const;

export type OperationFilter = (typeof OPERATION_FILTERS)[number];

/** Only the operations of this state and this kind. A field that is absent selects all. */
export interface OperationSelection {
  readonly state?: OperationFilter | undefined;
  readonly kind?: OperationKind | undefined;
}

/** A place in a list of operations, newest first. */
export type OperationPlace = Pick<AnyOperation, 'acceptedAt' | 'operationId'>;

/** Reads operations for people and programs. It never writes. */
export interface OperationViewStore {
  /** Newest first. */
  listOperations(
    campaignId: string,
    limit: number,
    selection?: OperationSelection,
    after?: OperationPlace,
  ): Promise<AnyOperation[]>;
  findOperation(operationId: string): Promise<AnyOperation | undefined>;
  /** Reads several with one query. Leaves out those that are not stored. */
  findOperations(operationIds: readonly string[]): Promise<(AnyOperation | DamagedRecord)[]>;
  /** Adds to the operations of a campaign that wait how many run before each. Reads the queue of the campaign. */
  withPlaces(campaignId: string, operations: readonly AnyOperation[]): Promise<ViewedOperation[]>;
  /** The batches of an operation from a number on, in order. The first query reads one, and each next one twice as many. */
  batchesFrom(operationId: string, number: number, reads: BatchReads): AsyncIterable<ViewedBatch>;
}
