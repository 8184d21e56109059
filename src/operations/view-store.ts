import type { Database } from '../mongo/database.ts';
import { batchIdsOf } from '../mongo/documents.ts';
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
    const newest = this.database.operations.find(
      { campaignId },
      { sort: { acceptedAt: -1, _id: 1 }, hint: NEWEST_INDEX, limit },
    );
    return (await newest.toArray()).map(toAnyOperation);
  }

  async findOperation(operationId: string): Promise<AnyOperation | undefined> {
    const doc = await this.database.operations.findOne({ _id: operationId });
    return doc ? toAnyOperation(doc) : undefined;
  }

  async *batchesOf(operationId: string): AsyncGenerator<StoredBatch> {
    const options = { sort: { _id: 1 }, batchSize: CURSOR_BATCHES } as const;
    for await (const doc of this.database.batches.find({ _id: batchIdsOf(operationId) }, options)) yield toBatch(doc);
  }
}
