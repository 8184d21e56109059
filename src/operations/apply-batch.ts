import type { mongo } from 'mongoose';
import { HISTORY_MOVES_MAX, STATUSES, type HistoryMove } from '../domain/conversation.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import { batchId, objectIds, type ConversationDoc } from '../mongo/documents.ts';
import { countMoves, shortfallsBetween, type Applied, type Batch, type Move } from './batch.ts';
import type { OperationRequest } from './contract.ts';
import { evaluate, mergeSkips, type Evaluation, type Found, type WriteGuard } from './evaluate.ts';
import { toBatch, toBatchDoc, toMoveDoc, toSkipDoc } from './mapping.ts';
import { Overtaken } from './ports.ts';

/** A conversation or target is not as planned. The transaction is rolled back and repeated with an evaluation. */
export class NotAsPlanned extends Error {}

/** The batch was no longer `planned` when its transaction began: another worker has applied or dropped it. */
class NotPlanned extends Error {}

/**
 * Writes one batch.
 *
 * The first transaction marks the batch as applied and writes each group of moves under its guards, without reading a
 * conversation. It commits when every conversation was as planned. Otherwise a second transaction reads the
 * conversations, evaluates each, and writes the moves that still hold. Other processes see a batch that is planned, or a
 * batch that is applied with all its moves.
 */
export class BatchApplication {
  private readonly database: Database;
  private readonly batch: Batch;
  private readonly request: OperationRequest;
  private readonly guard: WriteGuard;
  private readonly id: string;

  constructor(database: Database, batch: Batch, request: OperationRequest, guard: WriteGuard) {
    this.database = database;
    this.batch = batch;
    this.request = request;
    this.guard = guard;
    this.id = batchId(batch.operationId, batch.number);
  }

  /** Inserts the only batch of an operation as applied, and writes its moves. Throws {@link NotAsPlanned}. */
  async applyNew(endMarker: Batch, at: Date, session: mongo.ClientSession): Promise<void> {
    const applied = { ...toBatchDoc(this.batch, 'applied', at), appliedAt: at };
    await this.database.batches.insertMany([applied, toBatchDoc(endMarker, 'end-marker', at)], { session });
    await this.writeAsPlanned(at, session);
  }

  async run(): Promise<Applied> {
    try {
      return await this.database.transaction((session) => this.applyAsPlanned(session));
    } catch (error) {
      if (error instanceof NotAsPlanned) return this.runEvaluated();
      if (error instanceof NotPlanned) return this.storedResult();
      throw error;
    }
  }

  /** Evaluates the batch without writing anything. */
  async evaluate(): Promise<Evaluation> {
    return this.evaluateBatch(await this.inactiveTargets());
  }

  private async runEvaluated(): Promise<Applied> {
    try {
      return await this.database.transaction((session) => this.applyEvaluated(session));
    } catch (error) {
      if (error instanceof NotPlanned) return this.storedResult();
      throw error;
    }
  }

  private async applyAsPlanned(session: mongo.ClientSession): Promise<Applied> {
    const at = this.database.now();
    await this.markApplied(at, {}, session);
    await this.writeAsPlanned(at, session);
    const { moves, skips } = this.batch;
    return { moves, skips, shortfalls: [], inactive: [] };
  }

  private async writeAsPlanned(at: Date, session: mongo.ClientSession): Promise<void> {
    const { moves } = this.batch;
    if ((await this.inactiveTargets(session)).size > 0) throw new NotAsPlanned();
    if ((await this.write(moves, at, session)) !== countMoves(moves)) throw new NotAsPlanned();
  }

  private async applyEvaluated(session: mongo.ClientSession): Promise<Applied> {
    const at = this.database.now();
    const inactive = await this.inactiveTargets(session);
    const { moves, skips } = await this.evaluateBatch(inactive, session);
    const shortfalls = shortfallsBetween(this.batch.moves, moves);
    const result = {
      moves: moves.map(toMoveDoc),
      skips: skips.map(toSkipDoc),
      ...(shortfalls.length > 0 && { shortfalls }),
    };
    await this.markApplied(at, result, session);
    const written = await this.write(moves, at, session);
    if (written !== countMoves(moves)) {
      throw new Error(`${written} of ${countMoves(moves)} conversations of batch ${this.id} moved`);
    }
    return { moves, skips, shortfalls, inactive: [...inactive] };
  }

  private async evaluateBatch(inactive: ReadonlySet<string>, session?: mongo.ClientSession): Promise<Evaluation> {
    const { moves, skips } = evaluate(this.batch.moves, await this.find(session), { ...this.guard, inactive });
    return { moves, skips: mergeSkips(this.batch.skips, skips) };
  }

  private async markApplied(appliedAt: Date, result: mongo.Document, session: mongo.ClientSession): Promise<void> {
    const filter = { _id: this.id, state: 'planned' as const };
    const $set = { state: 'applied' as const, appliedAt, ...result };
    const { matchedCount } = await this.database.batches.updateOne(filter, { $set }, { session });
    if (matchedCount === 0) throw new NotPlanned();
  }

  /** Writes each group of moves under its guards. Returns the number of conversations that moved. */
  private async write(moves: readonly Move[], at: Date, session: mongo.ClientSession): Promise<number> {
    if (moves.length === 0) return 0;
    const updates = moves.map((move) => ({
      updateMany: { filter: this.guarded(move), update: this.update(move, at) },
    }));
    const { modifiedCount } = await this.database.conversations.bulkWrite(updates, { session });
    return modifiedCount;
  }

  /** Every condition that the plan relied on, checked again in the write itself. */
  private guarded(move: Move): mongo.Filter<ConversationDoc> {
    const { statuses, lastMovedBy } = this.guard;
    return {
      _id: { $in: objectIds(move.conversationIds) },
      campaignId: this.request.campaignId,
      assigneeId: move.from,
      'history.operationId': { $ne: this.request.operationId },
      ...(statuses.length < STATUSES.length && { status: { $in: [...statuses] } }),
      // The moves of an undo were planned with old statuses. The batch must not store a status that has changed.
      ...(lastMovedBy !== null && { lastOperationId: lastMovedBy, status: move.status }),
      ...(move.to !== null && { optedOut: false }),
    };
  }

  private update(move: Move, at: Date): mongo.UpdateFilter<ConversationDoc> {
    const { operationId, actorId } = this.request;
    const entry: HistoryMove = { operationId, from: move.from, to: move.to, at, by: actorId ?? null };
    return {
      $set: { assigneeId: move.to, assignedAt: at, lastOperationId: operationId },
      $inc: { assignmentVersion: 1 },
      $push: { history: { $each: [entry], $slice: -HISTORY_MOVES_MAX } },
    };
  }

  /** Targets of this batch that are not active texters of the campaign. */
  private async inactiveTargets(session?: mongo.ClientSession): Promise<ReadonlySet<string>> {
    const targets = new Set(this.batch.moves.flatMap((move) => (move.to === null ? [] : [move.to])));
    if (targets.size === 0) return targets;
    const filter = { campaignId: this.request.campaignId, texterId: { $in: [...targets] }, active: true };
    const options = { ...within(session), projection: { _id: 0, texterId: 1 }, ...IN_ONE_BATCH };
    const active = this.database.texters.find(filter, options);
    for (const { texterId } of await active.toArray()) targets.delete(texterId);
    return targets;
  }

  private async find(session?: mongo.ClientSession): Promise<Map<string, Found>> {
    const ids = objectIds(this.batch.moves.flatMap((move) => move.conversationIds));
    const filter = { _id: { $in: ids }, campaignId: this.request.campaignId };
    const projection = { assigneeId: 1, status: 1, optedOut: 1, lastOperationId: 1, 'history.operationId': 1 };
    const options = { ...within(session), projection, batchSize: ids.length + 1 };
    const found = this.database.conversations.find(filter, options);
    const entries = (await found.toArray()).map(({ _id, assigneeId, status, optedOut, lastOperationId, history }) => {
      const id = _id.toHexString();
      const isMovedBefore = history.some((move) => move.operationId === this.request.operationId);
      return [id, { id, assigneeId, status, optedOut, isMovedBefore, lastOperationId }] as const;
    });
    return new Map(entries);
  }

  /** Returns the batch as the worker that applied it stored it. */
  private async storedResult(): Promise<Applied> {
    const doc = await this.database.batches.findOne({ _id: this.id });
    if (doc?.state !== 'applied') throw new Overtaken(`batch ${this.id} was dropped because its operation was stopped`);
    const { moves, skips } = toBatch(doc);
    return { moves, skips, shortfalls: doc.shortfalls ?? [], inactive: [] };
  }
}

function within(session: mongo.ClientSession | undefined): { session?: mongo.ClientSession } {
  return session ? { session } : {};
}
