import type { Database } from '../mongo/database.ts';
import { batchId, batchIdsOf, type BatchDoc, type OperationDoc } from '../mongo/documents.ts';
import { NEWEST_INDEX } from '../mongo/indexes.ts';
import { toAnyOperation, toBatch } from './mapping.ts';
import type { AnyOperation, BatchReads, OperationViewStore, ViewedBatch } from './ports.ts';

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

  async *batchesFrom(operationId: string, number: number, reads: BatchReads): AsyncGenerator<ViewedBatch> {
    const { atOnceMax, inAllMax } = reads;
    let next = number;
    let limit = 1;
    for (let left = inAllMax; left > 0; left -= limit, limit = Math.min(2 * limit, atOnceMax)) {
      const ids = { ...batchIdsOf(operationId), $gte: batchId(operationId, next) };
      const options = { sort: { _id: 1 }, limit, batchSize: limit + 1 } as const;
      const found = this.database.models.batches.find({ _id: ids }, null, options);
      const docs = await found.lean<BatchDoc[]>();
      for (const doc of docs) yield { ...toBatch(doc), appliedAt: doc.appliedAt };
      if (docs.length < limit) return;
      next += limit;
    }
  }
}
