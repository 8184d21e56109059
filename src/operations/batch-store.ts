import type { mongo } from 'mongoose';
import { UNAPPLIED_MAX } from '../domain/in-flight.ts';
import { statesBefore, type BatchState } from '../domain/operation.ts';
import { sumOf } from '../domain/receipt.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import { isDuplicateKey } from '../mongo/server-errors.ts';
import { batchId, batchIdsOf, type BatchDoc } from '../mongo/documents.ts';
import { BatchApplication, WHOLE } from './apply-batch.ts';
import { type Applied, type Batch, type Shortfall, type StoredBatch, type UnappliedBatch } from './batch.ts';
import type { OperationRequest } from './contract.ts';
import { splitMoves } from './moves.ts';
import type { Evaluation, WriteGuard } from './evaluate.ts';
import { ofRun, toBatch, toBatchDoc, toMoveDoc } from './mapping.ts';
import type { Operation } from './operation.ts';
import { Overtaken, type ApplyOptions, type BatchStore, type LastBatches } from './ports.ts';

export class MongoBatchStore implements BatchStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async insert(batch: Batch): Promise<void> {
    await this.add(batch, 'planned');
  }

  async recent(operationId: string, limit: number): Promise<StoredBatch[]> {
    const newest = this.database.models.batches
      .find({ _id: batchIdsOf(operationId) })
      .sort({ _id: -1 })
      .limit(limit);
    return (await newest.lean<BatchDoc[]>()).reverse().map(toBatch);
  }

  async last(operationId: string): Promise<LastBatches | undefined> {
    const { batches } = this.database.models;
    const states = batches.find({ _id: batchIdsOf(operationId) }, { state: 1 }, { batchSize: UNAPPLIED_MAX + 1 });
    const found = await states.sort({ _id: -1 }).limit(UNAPPLIED_MAX).lean<Pick<BatchDoc, '_id' | 'state'>[]>();
    const wanted = found.filter(({ state }, at) => at === 0 || state === 'planned').map(({ _id }) => _id);
    if (wanted.length === 0) return undefined;
    const docs = await batches
      .find({ _id: { $in: wanted } }, null, IN_ONE_BATCH)
      .sort({ _id: 1 })
      .lean<BatchDoc[]>();
    const read = docs.map(toBatch);
    const newest = read.at(-1);
    return newest && { newest, unapplied: read.filter((batch) => batch.state === 'planned') };
  }

  async readAfter(operationId: string, number: number, limit: number): Promise<StoredBatch[]> {
    const behind = { ...batchIdsOf(operationId), $gt: batchId(operationId, number) };
    const options = { sort: { _id: 1 }, limit, batchSize: limit + 1 } as const;
    const found = this.database.models.batches.find({ _id: behind }, null, options);
    return (await found.lean<BatchDoc[]>()).map(toBatch);
  }

  async shortfalls(operationId: string): Promise<{ number: number; shortfalls: Shortfall[] }[]> {
    const filter = { operationId, shortfalls: { $exists: true } };
    const found = this.database.models.batches.find(filter, { _id: 0, number: 1, shortfalls: 1 }, IN_ONE_BATCH);
    const docs = await found.lean<Pick<BatchDoc, 'number' | 'shortfalls'>[]>();
    return docs.map(({ number, shortfalls }) => ({ number, shortfalls: shortfalls ?? [] }));
  }

  async skipped(operationId: string, idsMax: number): Promise<string[]> {
    const ids: string[] = [];
    for await (const skipped of this.skipsOf(operationId)) {
      ids.push(...skipped);
      if (ids.length > idsMax) break;
    }
    return ids;
  }

  async skippedAmong(operationId: string, conversationIds: readonly string[]): Promise<ReadonlySet<string>> {
    const wanted = new Set(conversationIds);
    const found = new Set<string>();
    for await (const skipped of this.skipsOf(operationId)) {
      for (const id of skipped) if (wanted.has(id)) found.add(id);
    }
    return found;
  }

  async apply(batch: UnappliedBatch, request: OperationRequest, options: ApplyOptions): Promise<Applied> {
    return new BatchApplication(this.database, batch, request, options).run();
  }

  async evaluate(batch: Batch, request: OperationRequest, guard: WriteGuard): Promise<Evaluation> {
    return new BatchApplication(this.database, batch, request, { ...WHOLE, guard }).evaluate();
  }

  async insertEndMarker(endMarker: Batch): Promise<void> {
    await this.add(endMarker, 'end-marker');
  }

  async stop(operation: Operation): Promise<void> {
    while (!(await this.tryStop(operation)));
  }

  /**
   * The transaction also writes the operation, so that it conflicts with a retry that reopens the operation at the same
   * time. Otherwise it could drop the batches of the new run. Returns false when a worker added a batch meanwhile.
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
    const { operations, batches } = this.database.models;
    const unfinished = { ...ofRun(operation), state: { $in: [...statesBefore('failed')] } };
    const { matchedCount } = await operations.updateOne(unfinished, { $inc: { stops: 1 } }, { session });
    if (matchedCount === 0) return;
    const ids = batchIdsOf(operationId);
    const last = await batches.findOne({ _id: ids }).sort({ _id: -1 }).session(session).lean<BatchDoc>();
    if (last?.state !== 'end-marker') {
      const empty = { operationId, campaignId, number: (last?.number ?? 0) + 1, moves: [], skips: [] };
      const after = last ? toBatch(last).after : { position: null, loads: [], planned: 0 };
      await this.add({ ...empty, after }, 'end-marker', session);
    }
    await this.stopPartlyApplied(operationId, session);
    const planned = { _id: batchIdsOf(operationId), state: 'planned' as const };
    await batches.updateMany(planned, { $set: { state: 'dropped' } }, { session });
  }

  /** Marks partly applied batches as applied, with the moves that were written. The others are kept for a retry. */
  private async stopPartlyApplied(operationId: string, session: mongo.ClientSession): Promise<void> {
    const { batches } = this.database;
    const filter = { _id: batchIdsOf(operationId), state: 'planned' as const, parts: { $exists: true } };
    for (const doc of await batches.find(filter, { session, ...IN_ONE_BATCH }).toArray()) {
      const { first, rest } = splitMoves(toBatch(doc).moves, doc.appliedCount ?? 0);
      const moves = { moves: first.map(toMoveDoc), unappliedMoves: rest.map(toMoveDoc) };
      const $set = { ...moves, state: 'applied' as const, appliedAt: this.database.now() };
      await batches.updateOne({ _id: doc._id }, { $set }, { session });
    }
  }

  private async add(batch: Batch, state: BatchState, session?: mongo.ClientSession): Promise<void> {
    try {
      await this.database.batches.insertOne(toBatchDoc(batch, state, this.database.now()), session ? { session } : {});
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      throw new Overtaken(`batch ${batch.number} of operation ${batch.operationId} already exists`, { cause: error });
    }
  }

  /** Reads the skipped conversations of an operation, one batch after the other. */
  private async *skipsOf(operationId: string): AsyncGenerator<string[]> {
    const filter = { _id: batchIdsOf(operationId), 'skips.0': { $exists: true } };
    const projection = { _id: 0, 'skips.conversationIds': 1 };
    const found = this.database.batches.find<Pick<BatchDoc, 'skips'>>(filter, { projection });
    for await (const { skips } of found) {
      yield skips.flatMap(({ conversationIds }) => conversationIds.map((id) => id.toHexString()));
    }
  }
}

/** Makes the batches that a stop left partly applied continue where they were stopped. */
export async function continuePartlyApplied(
  { batches }: Database,
  operationId: string,
  session: mongo.ClientSession,
): Promise<void> {
  const filter = { _id: batchIdsOf(operationId), unappliedMoves: { $exists: true } };
  for (const { _id, moves, unappliedMoves = [] } of await batches
    .find(filter, { session, ...IN_ONE_BATCH })
    .toArray()) {
    const appliedCount = sumOf(moves);
    const $set = { state: 'planned' as const, appliedAt: null, appliedCount, moves: [...moves, ...unappliedMoves] };
    await batches.updateOne({ _id }, { $set, $unset: { unappliedMoves: '' } }, { session });
  }
}
