import type { Batch } from '../domain/batch.ts';
import { countMoves } from '../domain/batch.ts';
import type { Candidate } from '../domain/conversation.ts';
import { Halted } from '../domain/errors.ts';
import type { Operation, Plan } from '../domain/operation.ts';
import { isBulk } from '../domain/request.ts';
import { InFlight } from './in-flight.ts';
import { Planner } from './planner.ts';
import type { Applied, Stores } from './ports.ts';
import { readInOrder } from './read-in-order.ts';

/** The most that {@link SliceLimits.batchesInFlightMax} may be, in any process. */
export const BATCHES_IN_FLIGHT_LIMIT = 16;

/**
 * Batches are applied in the order planned, give or take those in flight: no older one can be unapplied, whichever
 * process planned them. One more may be stored and not begun, and the seal may follow.
 */
const UNAPPLIED_MAX = BATCHES_IN_FLIGHT_LIMIT + 2;

export interface SliceLimits {
  /** Conversations in a batch at the most: what one transaction holds. */
  readonly batchConversationsMax: number;
  /** Batches applied at the same time. */
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

class Slice {
  private readonly stores: Stores;
  private readonly operation: Operation;
  private readonly plan: Plan;
  private readonly controls: SliceControls;
  private readonly inFlight: InFlight;
  private moved = 0;

  constructor(stores: Stores, operation: Operation, plan: Plan, controls: SliceControls) {
    this.stores = stores;
    this.operation = operation;
    this.plan = plan;
    this.controls = controls;
    this.inFlight = new InFlight(controls.limits.batchesInFlightMax);
  }

  async run(): Promise<SliceEnd> {
    try {
      const { planner, sealed } = await this.resume();
      const finished = sealed || (await this.planAndApply(planner));
      await this.inFlight.settled();
      if (!finished) return { finished };
      if (!sealed) await this.stores.batches.seal(planner.seal());
      return { finished, nextUp: planner.nextUp };
    } finally {
      await this.inFlight.abandoned();
    }
  }

  /** Picks up where the last slice, or a worker that died, left off. */
  private async resume(): Promise<{ planner: Planner; sealed: boolean }> {
    const { operationId } = this.operation;
    const recent = await this.stores.batches.recent(operationId, UNAPPLIED_MAX);
    const batchMax = this.controls.limits.batchConversationsMax;
    const last = recent.at(-1) ?? null;
    const planner = new Planner({ operation: this.operation, plan: this.plan, last, batchMax });
    if (last) await this.catchUp(planner);
    const unapplied = recent.filter((batch) => batch.state === 'planned');
    this.moved = planner.expectedMoves - unapplied.reduce((sum, { moves }) => sum + countMoves(moves), 0);
    for (const batch of unapplied) await this.startApplying(batch, planner);
    return { planner, sealed: recent.at(-1)?.state === 'seal' };
  }

  /** What earlier slices learnt of the targets, as far as it still holds. */
  private async catchUp(planner: Planner): Promise<void> {
    const { operationId, campaignId } = this.operation;
    for (const { number, slips } of await this.stores.batches.slips(operationId)) planner.noteSlips(number, slips);
    const texters = await this.stores.texters.list(campaignId);
    planner.leaveOut(texters.filter(({ active }) => !active).map(({ texterId }) => texterId));
  }

  /** True when the selection is exhausted or the limit reached, false when told to stop. */
  private async planAndApply(planner: Planner): Promise<boolean> {
    while (!(await this.isComplete(planner))) {
      this.haltWithoutTargets(planner);
      const exhausted = await this.readThrough(planner);
      if (exhausted !== undefined) return exhausted;
    }
    return true;
  }

  /** Reads on from the planner's position. `undefined`: the limit was reached, unless something slips away yet. */
  private async readThrough(planner: Planner): Promise<boolean | undefined> {
    for await (const chunk of this.candidates(planner)) {
      for (const candidate of chunk) {
        planner.take(candidate);
        if (!planner.isBatchFull && !planner.isAtLimit) continue;
        await this.store(planner);
        if (planner.isAtLimit) return undefined;
        if (this.controls.shouldStop()) return false;
        this.haltWithoutTargets(planner);
      }
    }
    await this.store(planner);
    return true;
  }

  /** At the limit only once nothing in flight can slip away any more. */
  private async isComplete(planner: Planner): Promise<boolean> {
    if (!planner.isAtLimit) return false;
    await this.inFlight.settled();
    return planner.isAtLimit;
  }

  private async store(planner: Planner): Promise<void> {
    const batch = planner.closeBatch();
    if (!batch) return;
    await this.stores.batches.insert(batch);
    await this.startApplying(batch, planner);
  }

  private async startApplying(batch: Batch, planner: Planner): Promise<void> {
    await this.inFlight.add(async () => {
      const guard = { statuses: this.plan.statuses };
      this.note(batch, await this.stores.batches.apply(batch, this.operation, guard), planner);
    });
  }

  private note(batch: Batch, applied: Applied, planner: Planner): void {
    planner.noteSlips(batch.number, applied.slips);
    planner.leaveOut(applied.inactive);
    this.moved += countMoves(applied.moves);
    this.controls.onProgress?.({ moved: this.moved });
  }

  private async *candidates(planner: Planner): AsyncGenerator<Candidate[]> {
    const { request, campaignId, operationId } = this.operation;
    if (isBulk(request)) {
      const { sources, statuses, limit } = this.plan;
      yield* readInOrder(
        this.stores.conversations,
        { campaignId, sources, statuses, operationId, limit },
        planner.position,
      );
    } else if (!planner.position) {
      const found = await this.stores.conversations.findOne(campaignId, request.conversationId);
      if (found) yield [found];
    }
  }

  private haltWithoutTargets(planner: Planner): void {
    if (!planner.isOutOfTargets) return;
    throw new Halted('targets-lost', {
      expected: 'an active texter to deal to',
      got: 'all targets paused meanwhile',
    });
  }
}
