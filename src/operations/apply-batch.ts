import type { mongo } from 'mongoose';
import { Halted } from '../domain/errors.ts';
import type { Database } from '../mongo/database.ts';
import { batchId } from '../mongo/documents.ts';
import {
  NOT_BEGUN,
  type Applied,
  type BatchProgress,
  type BatchResult,
  type StoredBatch,
  type UnappliedBatch,
  addShortfalls,
  shortfallsBetween,
} from './batch.ts';
import { countMoves, isAsPlanned, mergeMoves, splitMoves, type Move } from './moves.ts';
import type { OperationRequest } from './contract.ts';
import { evaluate, mergeSkips, type Evaluation } from './evaluate.ts';
import { toBatch, toResultDoc } from './mapping.ts';
import { MoveWriter } from './move-writer.ts';
import { Overtaken, type ApplyOptions } from './ports.ts';

/** A conversation or target is not as planned. The transaction is rolled back and repeated with an evaluation. */
export class NotAsPlanned extends Error {}

/** The stored batch has changed since this worker read it: another worker applied a part of it, or stopped it. */
class BatchChanged extends Error {}

/** Applies all of a batch in one transaction. */
export const WHOLE = { sizeMax: Infinity, asPlanned: true } as const;

/**
 * Writes one part of a batch: the next conversations in the order of its moves.
 *
 * The first transaction writes each group of moves under its guards, without reading a conversation, and then records the
 * progress of the batch. It commits when every conversation was as planned. Otherwise a second transaction reads the
 * conversations, evaluates each, and writes the moves that still hold. The part that completes the batch also marks the
 * batch as applied. A small batch has one part.
 */
export class BatchApplication {
  private readonly database: Database;
  private readonly batch: UnappliedBatch;
  private readonly request: OperationRequest;
  private readonly options: ApplyOptions;
  private readonly id: string;
  private readonly moves: MoveWriter;
  private readonly progress: BatchProgress;
  /** The moves that earlier parts have written. */
  private readonly applied: readonly Move[];
  /** The moves of this part. */
  private readonly part: readonly Move[];
  /** The moves of later parts. */
  private readonly rest: readonly Move[];

  constructor(database: Database, batch: UnappliedBatch, request: OperationRequest, options: ApplyOptions) {
    this.database = database;
    this.batch = batch;
    this.request = request;
    this.options = options;
    this.id = batchId(batch.operationId, batch.number);
    this.moves = new MoveWriter(database, request, options.guard);
    this.progress = batch.progress ?? NOT_BEGUN;
    const { first: applied, rest: unapplied } = splitMoves(batch.moves, this.progress.appliedCount);
    const { first: part, rest } = splitMoves(unapplied, options.sizeMax);
    this.applied = applied;
    this.part = part;
    this.rest = rest;
  }

  /** Makes one attempt. Throws `WriteConflict` when it met the write of another program. */
  async run(): Promise<Applied> {
    try {
      if (!this.options.asPlanned) return await this.attempt((session) => this.applyEvaluated(session));
      return await this.attempt((session) => this.applyAsPlanned(session));
    } catch (error) {
      if (error instanceof NotAsPlanned) return this.runEvaluated();
      if (error instanceof BatchChanged) return this.readStored();
      throw error;
    }
  }

  /** Evaluates the batch without writing anything. */
  async evaluate(): Promise<Evaluation> {
    const { moves, skips } = await this.evaluatePart(await this.inactiveTargets());
    return { moves, skips: mergeSkips(this.batch.skips, skips) };
  }

  private async runEvaluated(): Promise<Applied> {
    try {
      return await this.attempt((session) => this.applyEvaluated(session));
    } catch (error) {
      if (error instanceof BatchChanged) return this.readStored();
      throw error;
    }
  }

  private async attempt(work: (session: mongo.ClientSession) => Promise<Applied>): Promise<Applied> {
    return this.database.transaction(work, { repeatForMs: 0 });
  }

  /**
   * Writes the conversations first. A transaction reads the data as they were at its first statement. If another program
   * writes one of the conversations after that, the transaction conflicts. Then it records the batch, and reads the targets
   * last. A pause writes the batch too: it makes this transaction conflict, or waits until it has ended.
   */
  private async applyAsPlanned(session: mongo.ClientSession): Promise<Applied> {
    const at = this.database.now();
    const written = await this.moves.write(this.part, at, session);
    const batch = await this.record(at, countMoves(this.part), {}, session);
    const isAsPlanned = written === countMoves(this.part) && (await this.inactiveTargets(session)).size === 0;
    if (!isAsPlanned) throw new NotAsPlanned();
    return { batch, inactive: [] };
  }

  private async applyEvaluated(session: mongo.ClientSession): Promise<Applied> {
    const at = this.database.now();
    const inactive = await this.inactiveTargets(session);
    const { moves, skips } = await this.evaluatePart(inactive, session);
    const result = isAsPlanned(this.part, moves) ? {} : this.resultOf({ moves, skips });
    const batch = await this.record(at, countMoves(moves), result, session);
    const written = await this.moves.write(moves, at, session);
    if (written !== countMoves(moves)) {
      throw new Error(`${written} of ${countMoves(moves)} conversations of batch ${this.id} moved`);
    }
    return { batch, inactive: [...inactive] };
  }

  /** Targets of this part that are not active texters of the campaign. Throws `Halted` when the campaign is closed. */
  private async inactiveTargets(session?: mongo.ClientSession): Promise<ReadonlySet<string>> {
    const targets = new Set(this.part.flatMap((move) => (move.to === null ? [] : [move.to])));
    if (targets.size === 0) return targets;
    const { isClosed, active } = await this.moves.readTargets([...targets], session);
    if (isClosed) throw closedMeanwhile(this.request.campaignId);
    for (const texterId of active) targets.delete(texterId);
    return targets;
  }

  private async evaluatePart(inactive: ReadonlySet<string>, session?: mongo.ClientSession): Promise<Evaluation> {
    return evaluate(this.part, await this.moves.find(this.part, session), { ...this.options.guard, inactive });
  }

  private resultOf({ moves, skips }: Evaluation): BatchResult {
    const shortfalls = addShortfalls(this.batch.shortfalls ?? [], shortfallsBetween(this.part, moves));
    return {
      moves: [...mergeMoves([...this.applied, ...moves]), ...this.rest],
      skips: mergeSkips(this.batch.skips, skips),
      ...(shortfalls.length > 0 && { shortfalls }),
    };
  }

  /** Records a part on the batch, and returns the batch as it is stored then. */
  private async record(
    at: Date,
    movedCount: number,
    result: BatchResult,
    session: mongo.ClientSession,
  ): Promise<StoredBatch> {
    const { parts, appliedCount } = this.progress;
    const isComplete = this.rest.length === 0;
    const progress = { parts: parts + 1, appliedCount: appliedCount + movedCount };
    const $set = { ...(isComplete ? { state: 'applied' as const, appliedAt: at } : progress), ...toResultDoc(result) };
    const update = isComplete && parts > 0 ? { $set, $unset: { parts: '', appliedCount: '' } as const } : { $set };
    const filter = { _id: this.id, state: 'planned' as const, parts: parts > 0 ? parts : { $exists: false } };
    const { matchedCount } = await this.database.batches.updateOne(filter, update, { session });
    if (matchedCount === 0) throw new BatchChanged();
    const stored = { ...this.batch, ...result };
    return isComplete ? { ...stored, state: 'applied' } : { ...stored, state: 'planned', progress };
  }

  /** Reads the batch again after another worker changed it. Throws `Overtaken` if it was stopped. */
  private async readStored(): Promise<Applied> {
    const doc = await this.database.batches.findOne({ _id: this.id });
    const isStopped = doc?.state === 'dropped' || doc?.unappliedMoves !== undefined;
    if (!doc || isStopped) throw new Overtaken(`batch ${this.id} was dropped because its operation was stopped`);
    return { batch: toBatch(doc), inactive: [] };
  }
}

function closedMeanwhile(campaignId: string): Halted {
  return new Halted('closed-meanwhile', {
    message: `campaign ${campaignId} was closed; the operation gives no more conversations to texters`,
    expected: 'an open campaign',
    received: 'a campaign that was closed meanwhile',
  });
}
