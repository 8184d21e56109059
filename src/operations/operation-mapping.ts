import type { mongo } from 'mongoose';
import type { Operation, Run } from './operation.ts';
import type { OperationDoc } from '../mongo/documents.ts';

export function toOperation(doc: OperationDoc): Operation {
  const { _id: operationId, ...rest } = doc;
  delete rest.turn;
  delete rest.stops;
  delete rest.expiring;
  return { operationId, ...rest };
}

/** An operation, as long as nobody has reopened it since. */
export function ofRun({ operationId, reopened }: Run): mongo.Filter<OperationDoc> {
  return { _id: operationId, reopened: reopened ?? { $exists: false } };
}
