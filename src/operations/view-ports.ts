import type { Claim, ClaimRequest } from '../claims/index.ts';
import type { OperationRecord } from '../domain/operation.ts';
import type { StoredBatch } from './ports.ts';
import type { OperationRequest } from './request.ts';

/** Anything that was asked for: an operation, or a texter's claim. */
export type AnyOperation = OperationRecord<OperationRequest | ClaimRequest> & Partial<Pick<Claim, 'granted'>>;

/** Reads operations for people and programs. Nothing here writes. */
export interface OperationViewStore {
  /** Newest first. */
  listOperations(campaignId: string, limit: number): Promise<AnyOperation[]>;
  findOperation(operationId: string): Promise<AnyOperation | undefined>;
  /** An operation's batches in order. */
  batchesOf(operationId: string): AsyncIterable<StoredBatch>;
}
