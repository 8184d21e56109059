import type { Operation } from './operation.ts';
import type { OperationRequest } from './request.ts';

/** A checked request, as it comes out of the queue. */
export interface OperationCommand {
  readonly request: OperationRequest;
  readonly requestHash: string;
  /** Tells this sending of the request from any other. */
  readonly sendId: string;
}

/** What the ledger first says of an operation; its place in the campaign's order apart. */
export function newOperation(
  { request, requestHash, sendId }: OperationCommand,
  at: Date,
): Omit<Operation, 'sequence'> {
  return {
    operationId: request.operationId,
    campaignId: request.campaignId,
    request,
    requestHash,
    createdBySendId: sendId,
    state: 'accepted',
    plan: null,
    receipt: null,
    error: null,
    cancellation: null,
    acceptedAt: at,
    startedAt: null,
    endedAt: null,
  };
}
