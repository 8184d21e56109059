import { BATCHES_IN_FLIGHT_LIMIT, InFlight } from '../domain/in-flight.ts';
import { countMoves, type Applied, type Batch, type Shortfall, type StoredBatch } from './batch.ts';
import type { OperationRequest } from './contract.ts';
import type { WriteGuard } from './evaluate.ts';
import { Overtaken, type Stores } from './ports.ts';

/**
 * Only this many of the newest batches can be unapplied. Batches are applied in order, except for those in flight, and no
 * worker plans a batch before it has applied the batches that earlier workers left. One more batch may be stored and not
 * started, and the end marker may follow.
 */
export const UNAPPLIED_MAX = BATCHES_IN_FLIGHT_LIMIT + 2;

/**
 * Plans the batches of one operation, in order. `select.ts` and `undo.ts` implement it; `run.ts` applies the batches and
 * reports back what was written.
 */
export interface BatchPlan {
  /** What the write of each batch checks again. */
  readonly guard: WriteGuard;
  /** True when there is nothing left to plan, unless a batch in flight falls short. */
  isComplete(): boolean;
  /** The texter that the campaign's next operation starts its dealing with; `null` leaves it unchanged. */
  readonly nextTarget: string | null;
  /** True when conversations are read before they are planned, so that a planned batch needs no evaluation. */
  readonly readsConversations: boolean;
  /** Continues after the newest stored batch. `shortfalls` lists those of every batch so far. */
  resume(newest: Batch, shortfalls: readonly BatchShortfalls[]): Promise<void> | void;
  /** Plans batches of at most `sizeMax` conversations. Call it again while {@link isComplete} is false. */
  batches(sizeMax: number): AsyncIterable<Batch>;
  /** Records an applied batch. Its shortfalls are planned anew, and inactive targets get nothing more. */
  addApplied(batch: Batch, applied: Applied): void;
  /** The empty batch that closes the list. */
  endMarker(): Batch;
  /** Counts the conversations that batches after `newest` would select. */
  countUnplanned(newest: Batch | undefined): Promise<number>;
}

export interface BatchShortfalls {
  readonly number: number;
  readonly shortfalls: readonly Shortfall[];
}

export interface SliceLimits {
  /** The most conversations in a batch: what one transaction can hold. */
  readonly batchConversationsMax: number;
  /** The most batches that are applied at the same time. Read before each batch, so that it can change meanwhile. */
  readonly batchesInFlightMax: number;
}

export interface Progress {
  /** How many conversations the operation has moved so far. */
  readonly moved: number;
}

export interface SliceControls {
  readonly limits: SliceLimits;
  /** Called after each batch. Return true to stop after the batches in progress. */
  readonly shouldStop: () => boolean;
  readonly onProgress?: (progress: Progress) => void;
}

/**
 * Works on a running operation until its batches are complete or `shouldStop` returns true. Returns true when every batch
 * is applied and the end marker is stored. Applied batches stay applied, even if the worker dies.
 */
export async function runSlice(
  stores: Stores,
  request: OperationRequest,
  plan: BatchPlan,
  controls: SliceControls,
): Promise<boolean> {
  return new Slice(stores, request, plan, controls).run();
}

class Slice {
  private readonly stores: Stores;
  private readonly request: OperationRequest;
  private readonly plan: BatchPlan;
  private readonly controls: SliceControls;
  private readonly inFlight: InFlight;
  private moved = 0;

  constructor(stores: Stores, request: OperationRequest, plan: BatchPlan, controls: SliceControls) {
    this.stores = stores;
    this.request = request;
    this.plan = plan;
    this.controls = controls;
    this.inFlight = new InFlight(() => controls.limits.batchesInFlightMax);
  }

  async run(): Promise<boolean> {
    try {
      if (await this.applyUnapplied()) return true;
      const isComplete = await this.planAndApply();
      await this.inFlight.settled();
      if (isComplete) await this.stores.batches.insertEndMarker(this.plan.endMarker());
      return isComplete;
    } finally {
      await this.inFlight.abandoned();
    }
  }

  /** Applies the batches that an earlier slice left. Returns true when the list of batches is closed. */
  private async applyUnapplied(): Promise<boolean> {
    const recent = await this.stores.batches.recent(this.request.operationId, UNAPPLIED_MAX);
    const newest = recent.at(-1);
    if (!newest) return false;
    const unapplied = recent.filter((batch) => batch.state === 'planned');
    await this.resume(newest, unapplied);
    for (const batch of unapplied) await this.startApplying(batch);
    // A batch that cannot be applied stops the slice here. Otherwise more and more batches would be planned after it.
    await this.inFlight.settled();
    return newest.state === 'end-marker';
  }

  private async resume(newest: StoredBatch, unapplied: readonly Batch[]): Promise<void> {
    const shortfalls = await this.stores.batches.shortfalls(this.request.operationId);
    await this.plan.resume(newest, shortfalls);
    const missing = shortfalls.flatMap((batch) => batch.shortfalls).reduce((sum, { count }) => sum + count, 0);
    const unappliedMoves = unapplied.reduce((sum, { moves }) => sum + countMoves(moves), 0);
    this.moved = newest.after.planned - missing - unappliedMoves;
  }

  /** Returns false when `shouldStop` ended it. */
  private async planAndApply(): Promise<boolean> {
    const { limits, shouldStop } = this.controls;
    while (!this.plan.isComplete()) {
      for await (const batch of this.plan.batches(limits.batchConversationsMax)) {
        await this.stores.batches.insert(batch);
        await this.startApplying(batch);
        if (shouldStop() && !this.plan.isComplete()) return false;
      }
      // The limit counts as reached only when no batch in flight can fall short any more.
      await this.inFlight.settled();
    }
    return true;
  }

  /** Starts to apply a batch as soon as fewer than `batchesInFlightMax` are in flight. */
  private async startApplying(batch: Batch): Promise<void> {
    await this.inFlight.add(async () => {
      await this.refuseStopped();
      const applied = await this.stores.batches.apply(batch, this.request, this.plan.guard);
      this.plan.addApplied(batch, applied);
      this.moved += countMoves(applied.moves);
      this.controls.onProgress?.({ moved: this.moved });
    });
  }

  /**
   * Checks for a recorded failure or cancellation before each batch. Otherwise workers could add batches faster than the
   * canceller can close the list.
   */
  private async refuseStopped(): Promise<void> {
    const { operationId } = this.request;
    if (!(await this.stores.operations.isStopped(operationId))) return;
    throw new Overtaken(`operation ${operationId} has been stopped`);
  }
}
