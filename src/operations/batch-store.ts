import type { mongo } from 'mongoose';
import { Overtaken, type Applied, type Asked, type BatchState, type BatchStore, type StoredBatch } from './ports.ts';
import type { Batch, Shortfall } from './batch.ts';
import type { MoveCount, SkipCount } from '../domain/receipt.ts';
import { statesBefore } from '../domain/operation.ts';
import { type Operation } from './operation.ts';
import type { Guard, Outcome } from './evaluate.ts';
import { BatchApplication } from './apply-batch.ts';
import { fromDoc, toDoc } from './batch-mapping.ts';
import { IN_ONE_BATCH, isDuplicateKey, type Database } from '../mongo/database.ts';
import { batchId, batchIdsOf, type BatchDoc } from '../mongo/documents.ts';
import { ofRun } from './operation-mapping.ts';

export class MongoBatchStore implements BatchStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async insert(batch: Batch): Promise<void> {
    await this.add(batch, 'planned');
  }

  async recent(operationId: string, limit: number): Promise<StoredBatch[]> {
    const newest = this.database.batches.find({ _id: batchIdsOf(operationId) }, { sort: { _id: -1 }, limit });
    return (await newest.toArray()).reverse().map(fromDoc);
  }

  async readAfter(operationId: string, number: number, limit: number): Promise<StoredBatch[]> {
    const behind = { ...batchIdsOf(operationId), $gt: batchId(operationId, number) };
    const options = { sort: { _id: 1 }, limit, batchSize: limit + 1 } as const;
    return (await this.database.batches.find({ _id: behind }, options).toArray()).map(fromDoc);
  }

  async shortfalls(operationId: string): Promise<{ number: number; shortfalls: Shortfall[] }[]> {
    const filter = { operationId, shortfalls: { $exists: true } };
    const projection = { _id: 0, number: 1, shortfalls: 1 };
    const options = { projection, ...IN_ONE_BATCH };
    const found = this.database.batches.find<Pick<BatchDoc, 'number' | 'shortfalls'>>(filter, options);
    return (await found.toArray()).map(({ number, shortfalls }) => ({ number, shortfalls: shortfalls ?? [] }));
  }

  async apply(batch: Batch, operation: Operation, guard: Omit<Guard, 'inactive'>): Promise<Applied> {
    return new BatchApplication(this.database, batch, operation, guard).run();
  }

  async look(batch: Batch, operation: Asked, guard: Omit<Guard, 'inactive'>): Promise<Outcome> {
    return new BatchApplication(this.database, batch, operation, guard).look();
  }

  async endMarker(last: Batch): Promise<void> {
    await this.add(last, 'end-marker');
  }

  async stop(operation: Operation): Promise<void> {
    while (!(await this.tryStop(operation)));
  }

  async totals(operationId: string): Promise<{ moves: MoveCount[]; skipped: SkipCount[] }> {
    const [moves, skipped] = await Promise.all([
      this.sumUp<MoveCount>(operationId, 'moves', ['from', 'to', 'status']),
      this.sumUp<SkipCount>(operationId, 'skips', ['reason']),
    ]);
    return { moves, skipped };
  }

  /**
   * In one transaction that writes the operation, too: whoever stops a run that has been reopened meanwhile would take
   * the new run's batches from it. False when another batch took the number: the list has grown meanwhile.
   */
  private async tryStop(operation: Operation): Promise<boolean> {
    try {
      await this.database.transaction((session) => this.stopRun(operation, session));
      return true;
    } catch (error) {
      if (error instanceof Overtaken) return false;
      throw error;
    }
  }

  private async stopRun(operation: Operation, session: mongo.ClientSession): Promise<void> {
    const { operationId, campaignId } = operation;
    const { operations, batches } = this.database;
    const unfinished = { ...ofRun(operation), state: { $in: [...statesBefore('failed')] } };
    const { matchedCount } = await operations.updateOne(unfinished, { $inc: { stops: 1 } }, { session });
    if (matchedCount === 0) return;
    const last = await batches.findOne({ _id: batchIdsOf(operationId) }, { sort: { _id: -1 }, session });
    if (last?.state !== 'end-marker') {
      const of = { operationId, campaignId, number: (last?.number ?? 0) + 1, moves: [], skips: [] };
      const after = last ? fromDoc(last).after : { position: null, loads: [], planned: 0 };
      await this.add({ ...of, after }, 'end-marker', session);
    }
    const planned = { _id: batchIdsOf(operationId), state: 'planned' as const };
    await batches.updateMany(planned, { $set: { state: 'dropped' } }, { session });
  }

  private async add(batch: Batch, state: BatchState, session?: mongo.ClientSession): Promise<void> {
    try {
      await this.database.batches.insertOne(toDoc(batch, state, this.database.now()), session ? { session } : {});
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      throw new Overtaken(`batch ${batch.number} of operation ${batch.operationId} is already planned`, {
        cause: error,
      });
    }
  }

  /** Adds up the counts of a list's entries over the applied batches; the ids beside them are left unread. */
  private async sumUp<Count>(operationId: string, list: 'moves' | 'skips', keys: string[]): Promise<Count[]> {
    const wanted = [...keys, 'count'].map((key) => [`${list}.${key}`, 1] as const);
    const byKey = Object.fromEntries(keys.map((key) => [key, `$${list}.${key}`]));
    const summed = this.database.batches.aggregate<mongo.Document>([
      { $match: { _id: batchIdsOf(operationId), state: 'applied' } },
      { $project: { _id: 0, ...Object.fromEntries(wanted) } },
      { $unwind: `$${list}` },
      { $group: { _id: byKey, count: { $sum: `$${list}.count` } } },
    ]);
    return (await summed.toArray()).map((row) => ({ ...(row['_id'] as object), count: Number(row['count']) }) as Count);
  }
}
