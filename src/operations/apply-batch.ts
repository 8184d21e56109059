import type { mongo } from 'mongoose';
import { Overtaken, type Applied, type Asked } from './ports.ts';
import { countMoves, shortfallsBetween, type Batch, type Move } from './batch.ts';
import { STATUSES, HISTORY_MOVES_MAX, type HistoryMove } from '../domain/conversation.ts';
import { evaluate, mergeSkips, type Found, type Guard, type Outcome } from './evaluate.ts';
import { fromDoc, toDoc, toMoveDoc, toSkipDoc } from './batch-mapping.ts';
import { objectIds } from '../mongo/object-ids.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import { batchId, type ConversationDoc } from '../mongo/documents.ts';

/** Not everything that was planned still holds: the blind write is undone, and done again looking. */
export class NotAsPlanned extends Error {}

/** The batch was no longer `planned` when its transaction began: somebody else has applied or dropped it. */
class NotPlanned extends Error {}

/**
 * One batch's way into the database.
 *
 * First blind: flip the batch, write each group of moves under its guards, and commit if every one took. When not, the
 * transaction is rolled back and done again looking: read the conversations, evaluate each, write exactly those that hold.
 * What the other process sees is a batch that is planned, or applied with everything it says.
 */
export class BatchApplication {
  private readonly database: Database;
  private readonly batch: Batch;
  private readonly operation: Asked;
  private readonly guard: Omit<Guard, 'inactive'>;
  private readonly id: string;

  constructor(database: Database, batch: Batch, operation: Asked, guard: Omit<Guard, 'inactive'>) {
    this.database = database;
    this.batch = batch;
    this.operation = operation;
    this.guard = guard;
    this.id = batchId(batch.operationId, batch.number);
  }

  /** A batch that nobody has stored yet, as the only one of its operation. Throws {@link NotAsPlanned}. */
  async applyNew(endMarker: Batch, at: Date, session: mongo.ClientSession): Promise<void> {
    const applied = { ...toDoc(this.batch, 'applied', at), appliedAt: at };
    await this.database.batches.insertMany([applied, toDoc(endMarker, 'end-marker', at)], { session });
    await this.writeAsPlanned(at, session);
  }

  async run(): Promise<Applied> {
    try {
      return await this.database.transaction((session) => this.applyBlind(session));
    } catch (error) {
      if (error instanceof NotAsPlanned) return this.runLooking();
      if (error instanceof NotPlanned) return this.asApplied();
      throw error;
    }
  }

  /** What it would come to now. */
  async look(): Promise<Outcome> {
    return this.evaluated(await this.inactiveTargets(), undefined);
  }

  private async runLooking(): Promise<Applied> {
    try {
      return await this.database.transaction((session) => this.applyLooking(session));
    } catch (error) {
      if (error instanceof NotPlanned) return this.asApplied();
      throw error;
    }
  }

  private async applyBlind(session: mongo.ClientSession): Promise<Applied> {
    const at = this.database.now();
    await this.flip({ state: 'applied', appliedAt: at }, session);
    await this.writeAsPlanned(at, session);
    const { moves, skips } = this.batch;
    return { moves, skips, shortfalls: [], inactive: [] };
  }

  private async writeAsPlanned(at: Date, session: mongo.ClientSession): Promise<void> {
    const { moves } = this.batch;
    if ((await this.inactiveTargets(session)).size > 0) throw new NotAsPlanned();
    if ((await this.write(moves, at, session)) !== countMoves(moves)) throw new NotAsPlanned();
  }

  private async applyLooking(session: mongo.ClientSession): Promise<Applied> {
    const at = this.database.now();
    const inactive = await this.inactiveTargets(session);
    const { moves, skips } = await this.evaluated(inactive, session);
    const shortfalls = shortfallsBetween(this.batch.moves, moves);
    const ending = {
      moves: moves.map(toMoveDoc),
      skips: skips.map(toSkipDoc),
      ...(shortfalls.length > 0 && { shortfalls }),
    };
    await this.flip({ state: 'applied', appliedAt: at, ...ending }, session);
    const written = await this.write(moves, at, session);
    if (written !== countMoves(moves)) {
      throw new Error(`expected ${countMoves(moves)} conversations of batch ${this.id} to move, got ${written}`);
    }
    return { moves, skips, shortfalls, inactive: [...inactive] };
  }

  private async evaluated(inactive: ReadonlySet<string>, session: mongo.ClientSession | undefined): Promise<Outcome> {
    const { moves, skips } = evaluate(this.batch.moves, await this.find(session), { ...this.guard, inactive });
    return { moves, skips: mergeSkips(this.batch.skips, skips) };
  }

  private async flip(ending: mongo.Document, session: mongo.ClientSession): Promise<void> {
    const filter = { _id: this.id, state: 'planned' as const };
    const { matchedCount } = await this.database.batches.updateOne(filter, { $set: ending }, { session });
    if (matchedCount === 0) throw new NotPlanned();
  }

  /** Writes each group under its guards; says how many conversations took. */
  private async write(moves: readonly Move[], at: Date, session: mongo.ClientSession): Promise<number> {
    if (moves.length === 0) return 0;
    const updates = moves.map((move) => ({
      updateMany: { filter: this.guarded(move), update: this.update(move, at) },
    }));
    const { modifiedCount } = await this.database.conversations.bulkWrite(updates, { session });
    return modifiedCount;
  }

  /** Everything that the plan relied on, checked again where it is written. */
  private guarded(move: Move): mongo.Filter<ConversationDoc> {
    const { statuses, lastMovedBy } = this.guard;
    return {
      _id: { $in: objectIds(move.conversationIds) },
      campaignId: this.operation.campaignId,
      assigneeId: move.from,
      'history.operationId': { $ne: this.operation.operationId },
      ...(statuses.length < STATUSES.length && { status: { $in: [...statuses] } }),
      // Planned long ago: written blind only if it also says the right status.
      ...(lastMovedBy !== null && { lastOperationId: lastMovedBy, status: move.status }),
      ...(move.to !== null && { optedOut: false }),
    };
  }

  private update(move: Move, at: Date): mongo.UpdateFilter<ConversationDoc> {
    const { operationId, request } = this.operation;
    const entry: HistoryMove = { operationId, from: move.from, to: move.to, at, by: request.actorId ?? null };
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
    const filter = { campaignId: this.operation.campaignId, texterId: { $in: [...targets] }, active: true };
    const options = { ...within(session), projection: { _id: 0, texterId: 1 }, ...IN_ONE_BATCH };
    const active = this.database.texters.find(filter, options);
    for (const { texterId } of await active.toArray()) targets.delete(texterId);
    return targets;
  }

  private async find(session?: mongo.ClientSession): Promise<Map<string, Found>> {
    const ids = objectIds(this.batch.moves.flatMap((move) => move.conversationIds));
    const filter = { _id: { $in: ids }, campaignId: this.operation.campaignId };
    const projection = { assigneeId: 1, status: 1, optedOut: 1, lastOperationId: 1, 'history.operationId': 1 };
    const options = { ...within(session), projection, batchSize: ids.length + 1 };
    const found = this.database.conversations.find(filter, options);
    const entries = (await found.toArray()).map(({ _id, assigneeId, status, optedOut, lastOperationId, history }) => {
      const id = _id.toHexString();
      const isMovedBefore = history.some((move) => move.operationId === this.operation.operationId);
      return [id, { id, assigneeId: assigneeId, status, optedOut, isMovedBefore, lastOperationId }] as const;
    });
    return new Map(entries);
  }

  /** The batch as whoever applied it left it. */
  private async asApplied(): Promise<Applied> {
    const doc = await this.database.batches.findOne({ _id: this.id });
    if (doc?.state !== 'applied') throw new Overtaken(`batch ${this.id} was dropped: its operation has ended`);
    const { moves, skips } = fromDoc(doc);
    return { moves, skips, shortfalls: doc.shortfalls ?? [], inactive: [] };
  }
}

function within(session: mongo.ClientSession | undefined): { session?: mongo.ClientSession } {
  return session ? { session } : {};
}
