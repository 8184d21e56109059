import type { Database } from '../mongo/database.ts';
import { NEWEST_INDEX } from '../mongo/indexes.ts';
import { batchIdsOf, type ClaimDoc, type OperationDoc } from '../mongo/documents.ts';
import { fromDoc } from './batch-mapping.ts';
import type { StoredBatch } from './ports.ts';
import type { AnyOperation, OperationViewStore } from './view-ports.ts';

const CURSOR_BATCHES = 8;

export class MongoOperationViewStore implements OperationViewStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async listOperations(campaignId: string, limit: number): Promise<AnyOperation[]> {
    const newest = this.database.operations.find(
      { campaignId },
      { sort: { acceptedAt: -1, _id: 1 }, hint: NEWEST_INDEX, limit },
    );
    return (await newest.toArray()).map(toEntry);
  }

  async findOperation(operationId: string): Promise<AnyOperation | undefined> {
    const doc = await this.database.operations.findOne({ _id: operationId });
    return doc ? toEntry(doc) : undefined;
  }

  async *batchesOf(operationId: string): AsyncGenerator<StoredBatch> {
    const options = { sort: { _id: 1 }, batchSize: CURSOR_BATCHES } as const;
    for await (const doc of this.database.batches.find({ _id: batchIdsOf(operationId) }, options)) yield fromDoc(doc);
  }
}

/** As people see it: what is only there for the machinery stays behind. */
export function toEntry(doc: OperationDoc | ClaimDoc): AnyOperation {
  const { _id: operationId, campaignId, requestHash, createdBySendId, state, sequence } = doc;
  const { receipt, error, cancellation, acceptedAt, startedAt, endedAt } = doc;
  const request = doc.request as AnyOperation['request'];
  const entry = { operationId, campaignId, request, requestHash, createdBySendId, state, sequence };
  const failures = doc.failures ? { failures: doc.failures } : {};
  const granted = 'granted' in doc ? { granted: doc.granted.map((id) => id.toHexString()) } : {};
  return { ...entry, receipt, error, cancellation, acceptedAt, startedAt, endedAt, ...failures, ...granted };
}
