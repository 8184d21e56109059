import type { mongo } from 'mongoose';
import type { Operation, Run } from './operation.ts';
import type { OperationRequest } from './request.ts';
import type { OperationDoc } from '../mongo/documents.ts';

export function toOperation(doc: OperationDoc): Operation {
  const { _id: operationId, kind, campaignLock, stops, expiring, ...rest } = doc;
  // The contract checked the request before it was stored.
  return { operationId, ...rest, request: rest.request as OperationRequest };
}

/** An operation, as long as nobody has reopened it since. */
export function ofRun({ operationId, reopened }: Run): mongo.Filter<OperationDoc> {
  return { _id: operationId, reopened: reopened ?? { $exists: false } };
}
