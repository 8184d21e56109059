import type { mongo } from 'mongoose';
import type { Credit } from '../domain/credits.ts';
import type { MoveCount, SkipCount } from '../domain/receipt.ts';
import type { Database } from '../mongo/database.ts';
import { batchIdsOf, type BatchDoc, type CreditDoc } from '../mongo/documents.ts';
import type { StoredBatch } from './batch.ts';
import { toBatch } from './mapping.ts';
import type { Run } from './operation.ts';
import type { EndReads } from './ports.ts';

/** Reads in the transaction that ends an operation, one query after the other, as transactions require. */
export class MongoEndReads implements EndReads {
  private readonly database: Database;
  private readonly run: Run & { readonly campaignId: string };
  private readonly session: mongo.ClientSession;

  constructor(database: Database, run: Run & { readonly campaignId: string }, session: mongo.ClientSession) {
    this.database = database;
    this.run = run;
    this.session = session;
  }

  async totals(): Promise<{ moves: MoveCount[]; skipped: SkipCount[] }> {
    const moves = await this.sumUp<MoveCount>('moves', ['from', 'to', 'status']);
    return { moves, skipped: await this.sumUp<SkipCount>('skips', ['reason']) };
  }

  async recent(limit: number): Promise<StoredBatch[]> {
    const filter = { _id: batchIdsOf(this.run.operationId) };
    const newest = this.database.models.batches.find(filter, null, { session: this.session, batchSize: limit + 1 });
    return (await newest.sort({ _id: -1 }).limit(limit).lean<BatchDoc[]>()).reverse().map(toBatch);
  }

  async credits(): Promise<Credit[]> {
    const found = this.database.models.credits.findById(this.run.campaignId, null, { session: this.session });
    return (await found.lean<CreditDoc>())?.credits ?? [];
  }

  /** Adds up the counts in the applied batches. The projection leaves out the ids, which are most of a batch. */
  private async sumUp<Count>(list: 'moves' | 'skips', keys: string[]): Promise<Count[]> {
    const wanted = [...keys, 'count'].map((key) => [`${list}.${key}`, 1] as const);
    const byKey = Object.fromEntries(keys.map((key) => [key, `$${list}.${key}`]));
    const pipeline = [
      { $match: { _id: batchIdsOf(this.run.operationId), state: 'applied' } },
      { $project: { _id: 0, ...Object.fromEntries(wanted) } },
      { $unwind: `$${list}` },
      { $group: { _id: byKey, count: { $sum: `$${list}.count` } } },
    ];
    const { session } = this;
    const summed = await this.database.batches.aggregate<mongo.Document>(pipeline, { session }).toArray();
    return summed.map((row) => ({ ...(row['_id'] as object), count: Number(row['count']) }) as Count);
  }
}
