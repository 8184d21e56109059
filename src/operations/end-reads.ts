import type { mongo } from 'mongoose';
import type { Credit } from '../domain/credits.ts';
import type { MoveCount, SkipCount } from '../domain/receipt.ts';
import type { Database } from '../mongo/database.ts';
import { batchIdsOf, type BatchDoc, type CreditDoc } from '../mongo/documents.ts';
import type { StoredBatch } from './batch.ts';
import { toBatch } from './mapping.ts';
import type { Run } from './operation.ts';
import type { EndReads } from './ports.ts';

const SKIP_COUNTS = { 'skips.reason': 1, 'skips.count': 1 } as const;
const KEYS_OF_COUNT = { from: '$counts.from', to: '$counts.to', status: '$counts.status', reason: '$counts.reason' };

interface SummedCount {
  /** Of moves, or of skips. */
  readonly _id: Partial<MoveCount & SkipCount>;
  readonly count: mongo.Document | number;
}

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

  /** Adds up the counts in the applied batches. The pipeline leaves out the ids, which are most of a batch, at once. */
  async totals(): Promise<{ moves: MoveCount[]; skipped: SkipCount[] }> {
    const pipeline = [
      { $match: { _id: batchIdsOf(this.run.operationId), state: 'applied' } },
      { $project: { _id: 0, 'moves.from': 1, 'moves.to': 1, 'moves.status': 1, 'moves.count': 1, ...SKIP_COUNTS } },
      { $project: { counts: { $concatArrays: ['$moves', '$skips'] } } },
      { $unwind: '$counts' },
      { $group: { _id: KEYS_OF_COUNT, count: { $sum: '$counts.count' } } },
    ];
    const { session } = this;
    const summed = await this.database.batches.aggregate<SummedCount>(pipeline, { session }).toArray();
    const moves: MoveCount[] = [];
    const skipped: SkipCount[] = [];
    for (const { _id, count } of summed) {
      const { from = null, to = null, status, reason } = _id;
      if (reason) skipped.push({ reason, count: Number(count) });
      else if (status) moves.push({ from, to, status, count: Number(count) });
    }
    return { moves, skipped };
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
}
