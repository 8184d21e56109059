import type { BatchSource } from './batch-source.ts';
import type { Progress } from '../domain/answers.ts';
import { WriteConflict } from '../domain/errors.ts';
import { BATCHES_IN_FLIGHT_LIMIT, InFlight } from '../domain/in-flight.ts';
import { applyInParts, noteConflict, type PartsDeps, TransactionSize } from './apply-in-parts.ts';
import {
  countApplied,
  countSelected,
  lastApplied,
  type Applied,
  type Batch,
  type StoredBatch,
  type UnappliedBatch,
} from './batch.ts';
import { finish, finishAtOnce, type EndingDeps } from './ending.ts';
import { isCounted } from './kinds.ts';
import type { OneCommand } from './move-one.ts';
import { countMoves, type Move } from './moves.ts';
import type { OperationRequest } from './contract.ts';
import type { Operation } from './operation.ts';
import type { Stores } from './ports.ts';
import type { QueuedLoads } from './limits.ts';

/** A batch of the usual size has about 30 conversations for each of this many texters. */
const ASSIGNEES_OF_BATCH_MAX = 60;
/** A batch is one document, and is kept in memory until it is applied. */
const BATCH_FACTOR_MAX = 5;

export interface SliceLimits {
  /** The most conversations in a batch: what one transaction can hold. */
  readonly batchConversationsMax: number;
  /** The most batches that are applied at the same time. Read before each batch, so that it can change meanwhile. */
  readonly batchesInFlightMax: number;
}

/** An operation that was accepted together with others, and stores that read for all of these at once. */
export interface JustAccepted {
  readonly operation: Operation;
  readonly reads: Stores;
}

export interface SliceControls {
  readonly limits: SliceLimits;
  /** The size of transactions, which a worker keeps between slices. Default: the full size of a batch. */
  readonly transactionSize?: TransactionSize;
  /** Counts of the texters' loads, shared by the queued operations of a campaign. Default: each operation counts for itself. */
  readonly loads?: QueuedLoads;
  /** Called after each part of a batch. Return true to stop after the parts in progress. */
  readonly shouldStop: () => boolean;
  /** When the job was sent, if this is its first run: a refusal is noticed then, also while the operation waits. */
  readonly firstRunSentAt?: number;
  /** The operation, if this process has just accepted it together with others. */
  readonly justAccepted?: JustAccepted | undefined;
  /** Called when the operation is accepted, before it waits or runs. */
  readonly onAccepted?: () => void;
  readonly onProgress?: (progress: Progress) => void;
  /** Called after each transaction that moved conversations, with what it has moved. */
  readonly onMoved?: (moves: readonly Move[]) => void;
  /** Moves a single conversation at once; see {@link moveOne}, which is the default. */
  readonly moveOne?: (command: OneCommand) => Promise<Operation | undefined>;
  /** Called with waiting claims that the operation has ended. Their jobs have to be woken. */
  readonly onClaimsEnded?: (claimIds: readonly string[]) => void;
}

/** What a slice works on. */
export interface SliceWork {
  readonly operation: Operation;
  readonly source: BatchSource;
  /**
   * False when the operation had no plan before this slice. If another worker has added a batch meanwhile, the first insert
   * finds it, and the slice ends as overtaken.
   */
  readonly mayHaveBatches: boolean;
}

/** `complete`: every batch is applied and the end marker is stored. An `Operation`: it has ended in one transaction. */
type SliceEnd = 'complete' | 'unfinished' | Operation;

/**
 * Works on a running operation until it has ended or `shouldStop` returns true. Applied batches stay applied, even if the worker
 * dies. Returns the operation when it has ended.
 */
export async function runSlice(
  deps: EndingDeps,
  work: SliceWork,
  controls: SliceControls,
): Promise<Operation | 'unfinished'> {
  const end = await new Slice(deps, work, controls).run();
  return end === 'complete' ? finish(deps, work.operation, work.source) : end;
}

class Slice {
  private readonly deps: EndingDeps;
  private readonly mayHaveBatches: boolean;
  private readonly operation: Operation;
  private readonly request: OperationRequest;
  private readonly source: BatchSource;
  private readonly controls: SliceControls;
  private readonly inFlight: InFlight;
  private readonly size: TransactionSize;
  private readonly parts: PartsDeps;
  private moved = 0;
  private conflicts = 0;
  /** How many batches `shouldStop` ended between two of their parts. */
  private interrupted = 0;

  constructor(deps: EndingDeps, work: SliceWork, controls: SliceControls) {
    const { operation, source, mayHaveBatches } = work;
    this.deps = deps;
    this.mayHaveBatches = mayHaveBatches;
    this.operation = operation;
    this.request = operation.request;
    this.source = source;
    this.controls = controls;
    const size = controls.transactionSize ?? new TransactionSize(controls.limits.batchConversationsMax);
    this.size = size;
    this.inFlight = new InFlight(() => this.batchesInFlightMax);
    this.parts = {
      stores: deps.stores,
      operation,
      source,
      size,
      shouldStop: controls.shouldStop,
      onApplied: (applied, movedCount) => this.addApplied(applied, movedCount),
      onConflict: () => (this.conflicts += 1),
    };
  }

  async run(): Promise<SliceEnd> {
    try {
      if (this.mayHaveBatches && (await this.applyUnapplied())) return 'complete';
      if (this.interrupted > 0) return 'unfinished';
      const end = await this.planAndApply();
      await this.inFlight.settled();
      if (end !== 'complete') return end;
      if (this.interrupted > 0) return 'unfinished';
      await this.deps.stores.batches.insertEndMarker(this.source.endMarker());
      return 'complete';
    } finally {
      await this.inFlight.abandoned();
    }
  }

  /** Applies the batches that an earlier slice left. Returns true when the list of batches is closed. */
  private async applyUnapplied(): Promise<boolean> {
    const last = await this.deps.stores.batches.last(this.request.operationId);
    if (!last) return false;
    const { newest, unapplied } = last;
    await this.resume(newest, unapplied);
    for (const batch of unapplied) await this.startApplying(batch);
    // A batch that cannot be applied stops the slice here. Otherwise more and more batches would be planned after it.
    await this.inFlight.settled();
    return newest.state === 'end-marker' && this.interrupted === 0;
  }

  private get batchesInFlightMax(): number {
    const withFullSize = this.controls.limits.batchesInFlightMax;
    return Math.min(this.size.batchesInFlight(withFullSize), BATCHES_IN_FLIGHT_LIMIT);
  }

  private async resume(newest: StoredBatch, unapplied: readonly StoredBatch[]): Promise<void> {
    const shortfalls = await this.deps.stores.batches.shortfalls(this.request.operationId);
    await this.source.resume(newest, shortfalls);
    const missing = shortfalls.flatMap((batch) => batch.shortfalls).reduce((sum, { count }) => sum + count, 0);
    const unappliedMoves = unapplied.reduce((sum, batch) => sum + countMoves(batch.moves) - countApplied(batch), 0);
    this.moved = newest.after.planned - missing - unappliedMoves;
  }

  /** Returns `unfinished` when `shouldStop` ended it. */
  private async planAndApply(): Promise<SliceEnd> {
    const { limits, shouldStop } = this.controls;
    const factor = this.batchFactor();
    const sizeMax = (): number => factor * Math.min(this.size.ofBatch, limits.batchConversationsMax);
    while (!this.source.isComplete()) {
      for await (const batch of this.source.batches(sizeMax)) {
        const ended = await this.tryAtOnce(batch, sizeMax());
        if (ended) return ended;
        await this.deps.stores.batches.insert(batch);
        await this.startApplying(batch);
        if (shouldStop() && !this.source.isComplete()) return 'unfinished';
      }
      // The limit counts as reached only when no batch in flight can fall short any more.
      await this.inFlight.settled();
      if (this.interrupted > 0) return 'unfinished';
    }
    return 'complete';
  }

  private async tryAtOnce(batch: Batch, sizeMax: number): Promise<Operation | undefined> {
    const sizeBefore = this.size.current;
    const mayBeAll = this.source.isComplete() || countSelected(batch) < sizeMax;
    const isFirst = !this.mayHaveBatches && batch.number === 1;
    if (!isFirst || !mayBeAll || countMoves(batch.moves) > sizeBefore || !this.size.mayTryAtOnce) return undefined;
    const left = await this.source.leftAfter(batch, isCounted(this.request));
    if (left === undefined) return undefined;
    try {
      const only = { batch, left, loads: this.controls.loads };
      const ended = await finishAtOnce(this.deps, this.operation, this.source, only);
      if (ended) this.addMoved(batch.moves);
      else this.size.noteNotAtOnce();
      return ended;
    } catch (error) {
      if (!(error instanceof WriteConflict)) throw error;
      this.size.noteNotAtOnce();
      noteConflict(this.parts, sizeBefore);
      return undefined;
    }
  }

  /**
   * Each pair of assignees in a batch needs a statement of its own. With many texters, a larger batch has more conversations
   * for each statement. Its transactions do not get larger: the batch is applied in parts.
   */
  private batchFactor(): number {
    const { sources = [], targets = [] } = this.operation.plan ?? {};
    const assignees = Math.max(sources.length, targets.length);
    return Math.max(1, Math.min(BATCH_FACTOR_MAX, Math.ceil(assignees / ASSIGNEES_OF_BATCH_MAX)));
  }

  /** Starts to apply a batch as soon as there is room in flight. */
  private async startApplying(batch: UnappliedBatch): Promise<void> {
    await this.inFlight.add(async () => {
      if (!(await applyInParts(this.parts, batch))) this.interrupted += 1;
    });
  }

  private addApplied(applied: Applied, movedCount: number): void {
    this.source.addApplied(applied);
    this.addMoved(lastApplied(applied.batch, movedCount));
  }

  private addMoved(moves: readonly Move[]): void {
    this.moved += countMoves(moves);
    if (moves.length > 0) this.controls.onMoved?.(moves);
    this.report();
  }

  private report(): void {
    const { moved, conflicts } = this;
    this.controls.onProgress?.({
      moved,
      ...(conflicts > 0 && { conflicts, transactionSize: this.size.current }),
    });
  }
}
