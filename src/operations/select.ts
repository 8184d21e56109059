import { Halted } from '../domain/errors.ts';
import { countSelected, type Applied, type Batch } from './batch.ts';
import type { BulkRequest, OneRequest, OperationRequest } from './contract.ts';
import type { WriteGuard } from './evaluate.ts';
import { countMoves } from './moves.ts';
import type { Plan } from './operation.ts';
import { Planner } from './planner.ts';
import type { Stores } from './ports.ts';
import type { BatchSource, BatchShortfalls } from './batch-source.ts';
import { manyCandidates, oneCandidate, type Candidates } from './candidates.ts';
import { countedCandidates } from './counted-candidates.ts';
import { SeenConversations } from './seen.ts';

/**
 * How often an operation reads its candidates from the beginning. Most operations read them once and count once more. The
 * receipt of an operation that needs more reports the rest as `left`.
 */
const PASSES_MAX = 10;

/** Plans a request that selects conversations by source and status. */
export function selectMany(stores: Stores, request: BulkRequest, plan: Plan): BatchSource {
  return new Selection(stores, request, plan, manyCandidates(stores, request, plan));
}

/** Plans the same numbers from counts, for a preview. See {@link countedCandidates}. */
export async function selectCounted(
  stores: Stores,
  request: BulkRequest,
  plan: Plan,
): Promise<BatchSource | undefined> {
  const candidates = await countedCandidates(stores.conversations, request, plan);
  return candidates && new Selection(stores, request, plan, candidates);
}

/** Plans a request that names one conversation. */
export function selectOne(stores: Stores, request: OneRequest, plan: Plan): BatchSource {
  return new Selection(stores, request, plan, oneCandidate(stores, request, plan));
}

/**
 * Deals candidates to the targets until none is left or the limit is reached. Other programs and operations change
 * conversations meanwhile, and such a conversation can match at a place that was read already. So the candidates are read
 * again from the beginning until a whole pass finds none.
 */
class Selection implements BatchSource {
  readonly guard: WriteGuard;
  readonly readsConversations = true;
  readonly triesAsPlanned = true;
  private readonly stores: Stores;
  private readonly request: OperationRequest;
  private readonly plan: Plan;
  private readonly candidates: Candidates;
  private readonly seen: SeenConversations;
  private planner: Planner;
  /** The passes that have reached the end of the candidates. */
  private passes = 0;
  /** The number of shortfalls before a pass that found nothing; `undefined` before the first such pass. */
  private exhaustedAt: number | undefined;

  constructor(stores: Stores, request: OperationRequest, plan: Plan, candidates: Candidates) {
    this.stores = stores;
    this.request = request;
    this.plan = plan;
    this.candidates = candidates;
    this.guard = { statuses: plan.statuses, lastMovedBy: null, dealsAgain: candidates.countLeft !== undefined };
    this.planner = new Planner({ request, plan, newest: null });
    this.seen = new SeenConversations(stores.batches, request.operationId);
  }

  isComplete(): boolean {
    if (this.planner.isAtLimit || this.passes >= PASSES_MAX) return true;
    return this.candidates.countLeft ? this.planner.shortfallCount === this.exhaustedAt : this.passes > 0;
  }

  /** Nothing has moved yet, so the count contains the conversations of the batch. */
  async leftAfter(batch: Batch, isCounted: boolean): Promise<number | undefined> {
    const { isAtLimit } = this.planner;
    if (!this.candidates.countLeft || (isAtLimit && !isCounted)) return 0;
    if (this.plan.surplus) return undefined;
    const count = await this.candidates.countLeft(this.planner);
    return isAtLimit || count === countSelected(batch) ? count - countMoves(batch.moves) : undefined;
  }

  async resume(newest: Batch, shortfallsByBatch: readonly BatchShortfalls[]): Promise<void> {
    this.planner = new Planner({ request: this.request, plan: this.plan, newest });
    await this.seen.load();
    for (const { number, shortfalls } of shortfallsByBatch) this.planner.addShortfalls(number, shortfalls);
    const texters = await this.stores.texters.list(this.request.campaignId);
    this.planner.leaveOut(texters.filter(({ active }) => !active).map(({ texterId }) => texterId));
  }

  /** Makes one pass. Ends at the limit, or when there are no more candidates. No batch may be in flight. */
  async *batches(sizeMax: () => number): AsyncGenerator<Batch> {
    const { planner, candidates } = this;
    const { shortfallCount } = planner;
    const isFromStart = planner.isAtStart;
    // Almost always the first pass has moved everything, and one count is cheaper than reading from every source.
    if (this.passes > 0 && (await candidates.countLeft?.(planner)) === 0) {
      this.exhaustedAt = shortfallCount;
      return;
    }
    if (candidates.countLeft) this.seen.forgetPlanned();
    let hasFound = false;
    for await (const page of candidates.read(planner)) {
      await this.seen.prepare(page);
      for (const candidate of page) {
        if (!planner.selects(candidate) || !this.seen.add(candidate.id)) continue;
        hasFound = true;
        this.haltWithoutTargets();
        planner.add(candidate);
        if (planner.selectedCount < sizeMax() && !planner.isAtLimit) continue;
        yield* this.closeBatch();
        if (planner.isAtLimit) return;
      }
    }
    yield* this.closeBatch();
    this.passes += 1;
    const hasReadAll = isFromStart && (this.passes > 1 || !candidates.isFirstPassPartial);
    const isExhausted = !hasFound && hasReadAll;
    if (!candidates.countLeft || isExhausted) this.exhaustedAt = shortfallCount;
    if (candidates.countLeft) planner.restart();
  }

  addApplied({ batch, inactive }: Applied): void {
    this.planner.addShortfalls(batch.number, batch.shortfalls ?? []);
    this.planner.leaveOut(inactive);
    this.seen.addSkips(batch.skips);
  }

  endMarker(): Batch {
    return this.planner.endMarker();
  }

  countUnplanned(newest: Batch | undefined): Promise<number> {
    return this.candidates.count(newest);
  }

  async countLeft(): Promise<number> {
    if (this.planner.shortfallCount === this.exhaustedAt) return 0;
    return (await this.candidates.countLeft?.(this.planner)) ?? 0;
  }

  private async *closeBatch(): AsyncGenerator<Batch> {
    const batch = this.planner.closeBatch();
    if (!batch) return;
    // At the limit, nothing more is planned of what was read.
    const readAhead = this.planner.isAtLimit ? null : await this.candidates.readAhead?.();
    yield { ...batch, after: { ...batch.after, readAhead: readAhead ?? null } };
  }

  private haltWithoutTargets(): void {
    if (!this.planner.isOutOfTargets) return;
    throw new Halted('targets-lost', {
      message: 'all targets have been paused; no texter is left to give conversations to',
      expected: 'an active texter to deal to',
      received: 'all targets paused meanwhile',
    });
  }
}
