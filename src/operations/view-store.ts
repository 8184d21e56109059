import { stream, type Database } from '../mongo/database.ts';
import { batchIdsOf, type BatchDoc, type OperationDoc } from '../mongo/documents.ts';
import { NEWEST_INDEX } from '../mongo/indexes.ts';
import type { StoredBatch } from './batch.ts';
import { toAnyOperation, toBatch } from './mapping.ts';
import type { AnyOperation, OperationViewStore } from './ports.ts';

const CURSOR_BATCHES = 8;

export class MongoOperationViewStore implements OperationViewStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async listOperations(campaignId: string, limit: number): Promise<AnyOperation[]> {
    const found = this.database.models.operations.find({ campaignId });
    const newest = found.sort({ acceptedAt: -1, _id: 1 }).hint(NEWEST_INDEX).limit(limit);
    return (await newest.lean<OperationDoc[]>()).map(toAnyOperation);
  }

  async findOperation(operationId: string): Promise<AnyOperation | undefined> {
    const doc = await this.database.models.operations.findById(operationId).lean<OperationDoc>();
    return doc ? toAnyOperation(doc) : undefined;
  }

  async *batchesOf(operationId: string): AsyncGenerator<StoredBatch> {
    const inOrder = this.database.models.batches.find({ _id: batchIdsOf(operationId) }).sort({ _id: 1 });
    for await (const doc of stream<BatchDoc>(inOrder, CURSOR_BATCHES)) yield toBatch(doc);
  }
}
