import type { Batch } from './batch.ts';
import { countMoves } from './batch.ts';
import type { Operation, Plan } from './operation.ts';
import { lastMovedBy } from './undo-rules.ts';
import { InFlight } from '../domain/in-flight.ts';
import type { Hand, Planning } from './planning.ts';
import { Overtaken, type Applied, type StoredBatch, type Stores } from './ports.ts';
import { SelectionPlanning } from './selection-planning.ts';
import { UndoPlanning } from './undo-planning.ts';

/** The most that {@link SliceLimits.batchesInFlightMax} may be, in any process. */
export const BATCHES_IN_FLIGHT_LIMIT = 16;

/**
 * Batches are applied in the order planned, give or take those in flight, and none is planned by whoever goes on before
 * what was left unapplied is applied: no older one can be unapplied, whichever process planned them. One more may be
 * stored and not begun, and the endMarker may follow.
 */
export const UNAPPLIED_MAX = BATCHES_IN_FLIGHT_LIMIT + 2;

export interface SliceLimits {
  /** Conversations in a batch at the most: what one transaction holds. */
  readonly batchConversationsMax: number;
  /** Batches applied at the same time. Asked before each: it may change meanwhile. */
  readonly batchesInFlightMax: number;
}

export interface Progress {
  /** Conversations that the operation has moved so far. */
  readonly moved: number;
}

export interface SliceControls {
  readonly limits: SliceLimits;
  /** Asked before each batch: true ends the slice with what is in hand. */
  readonly shouldStop: () => boolean;
  readonly onProgress?: (progress: Progress) => void;
}

/** `nextUp`: the texter with whom the campaign's next dealing begins. */
export type SliceEnd = { readonly finished: false } | { readonly finished: true; readonly nextUp: string | null };

/**
 * Carries a running operation on: applies what was planned and not applied, then plans further batches while earlier
 * ones are applied, until nothing is left or `shouldStop` says so. What is done stays done, whoever carries on.
 */
export async function runSlice(
  stores: Stores,
  operation: Operation,
  plan: Plan,
  controls: SliceControls,
): Promise<SliceEnd> {
  return new Slice(stores, operation, plan, controls).run();
}

class Slice implements Hand {
  readonly shouldStop: () => boolean;
  private readonly stores: Stores;
  private readonly operation: Operation;
  private readonly plan: Plan;
  private readonly planning: Planning;
  private readonly onProgress: SliceControls['onProgress'];
  private readonly inFlight: InFlight;
  private moved = 0;

  constructor(stores: Stores, operation: Operation, plan: Plan, controls: SliceControls) {
    const { request } = operation;
    const { limits } = controls;
    const { batchConversationsMax } = limits;
    this.stores = stores;
    this.operation = operation;
    this.plan = plan;
    this.planning =
      request.kind === 'undo'
        ? new UndoPlanning(stores, request, batchConversationsMax)
        : new SelectionPlanning(stores, operation, plan, batchConversationsMax);
    this.shouldStop = controls.shouldStop;
    this.onProgress = controls.onProgress;
    this.inFlight = new InFlight(() => limits.batchesInFlightMax);
  }

  async run(): Promise<SliceEnd> {
    try {
      const isListEnded = await this.resume();
      const finished = isListEnded || (await this.planning.planOn(this));
      await this.inFlight.settled();
      if (!finished) return { finished };
      if (!isListEnded) await this.stores.batches.endMarker(this.planning.endMarker());
      return { finished, nextUp: this.planning.nextUp };
    } finally {
      await this.inFlight.abandoned();
    }
  }

  async store(batch: Batch): Promise<void> {
    await this.stores.batches.insert(batch);
    await this.startApplying(batch);
  }

  settled(): Promise<void> {
    return this.inFlight.settled();
  }

  /** Picks up where the last slice, or a worker that died, left off. True when the list of batches is closed. */
  private async resume(): Promise<boolean> {
    const recent = await this.stores.batches.recent(this.operation.operationId, UNAPPLIED_MAX);
    const last = recent.at(-1);
    if (!last) return false;
    const unapplied = recent.filter((batch) => batch.state === 'planned');
    await this.catchUp(last, unapplied);
    for (const batch of unapplied) await this.startApplying(batch);
    // Before anything new is planned: what cannot be applied would fall behind, turn by turn, until nobody looks for it.
    await this.inFlight.settled();
    return last.state === 'end-marker';
  }

  private async catchUp(last: StoredBatch, unapplied: readonly Batch[]): Promise<void> {
    const shortfallsByBatch = await this.stores.batches.shortfalls(this.operation.operationId);
    await this.planning.resume(last, shortfallsByBatch);
    const shortfallCount = shortfallsByBatch
      .flatMap(({ shortfalls }) => shortfalls)
      .reduce((sum, { count }) => sum + count, 0);
    const outstanding = unapplied.reduce((sum, { moves }) => sum + countMoves(moves), 0);
    this.moved = last.after.planned - shortfallCount - outstanding;
  }

  private async startApplying(batch: Batch): Promise<void> {
    await this.inFlight.add(async () => {
      await this.stepBackIfStopped();
      const guard = { statuses: this.plan.statuses, lastMovedBy: lastMovedBy(this.operation.request) };
      this.note(batch, await this.stores.batches.apply(batch, this.operation, guard));
    });
  }

  /** Whoever stops it has to be quicker than all its workers to close the list of batches: so they look, each time. */
  private async stepBackIfStopped(): Promise<void> {
    const { operationId } = this.operation;
    if (!(await this.stores.operations.isStopped(operationId))) return;
    throw new Overtaken(`operation ${operationId} has been stopped`);
  }

  private note(batch: Batch, applied: Applied): void {
    this.planning.noteApplied(batch, applied);
    this.moved += countMoves(applied.moves);
    this.onProgress?.({ moved: this.moved });
  }
}
