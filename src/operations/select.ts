import { readFromEnd, readInOrder } from '../conversations/index.ts';
import { statusesFrom, type Assignee, type Candidate, type Position } from '../domain/conversation.ts';
import { Halted } from '../domain/errors.ts';
import type { Applied, Batch } from './batch.ts';
import type { BulkRequest, OneRequest, OperationRequest } from './contract.ts';
import type { WriteGuard } from './evaluate.ts';
import type { Plan } from './operation.ts';
import { Planner } from './planner.ts';
import type { Stores } from './ports.ts';
import { ReadAhead } from './read-ahead.ts';
import type { BatchSource, BatchShortfalls } from './batch-source.ts';
import { SeenConversations } from './seen.ts';
import { countSurplus } from './surplus.ts';

/**
 * How often an operation reads its candidates from the beginning. Most operations read them once and count once more. The
 * receipt of an operation that needs more reports the rest as `left`.
 */
const PASSES_MAX = 10;

/** The conversations that a request selects, in order. */
interface Candidates {
  /**
   * True when the candidates are read again until none is left. False for a surplus, whose size is fixed, and for a request
   * that names its conversation.
   */
  readonly isRepeated: boolean;
  /** Reads on from the planner's position. */
  read(planner: Planner): AsyncIterable<readonly Candidate[]>;
  /** Counts the conversations after a batch; `undefined` is the beginning. */
  count(newest: Batch | undefined): Promise<number>;
  /** How far the part of the pool that claims receive has been read. */
  readAhead?(): Promise<Position | null>;
}

/**
 * Plans a request that selects conversations by source and status. Targets that are sources too come last: each gives its
 * surplus, from the end of the order.
 */
export function selectMany(stores: Stores, request: BulkRequest, plan: Plan): BatchSource {
  const { campaignId, operationId } = request;
  const { targets, statuses, limit, surplus } = plan;
  const common = { campaignId, operationId, statuses };
  const inOrder = { ...common, sources: surplus?.emptied ?? plan.sources, limit };
  let reader = new ReadAhead(stores.conversations);
  return new Selection(stores, request, plan, {
    isRepeated: !surplus,
    async *read(planner) {
      reader = new ReadAhead(stores.conversations);
      yield* readInOrder(reader, inOrder, planner.position);
      const wanted = (target: Assignee): number => planner.surplusOf(target);
      if (surplus) yield* readFromEnd(stores.conversations, { ...common, sources: targets, wanted });
    },
    async count(newest) {
      const inOrderCount = await countAfter(stores, inOrder, newest?.after.position ?? null);
      if (!surplus) return inOrderCount;
      // Before the first move, the loads are those of the plan.
      const loads = newest && newest.after.planned > 0 ? newest.after.loads : plan.loads;
      return inOrderCount + countSurplus(surplus, loads);
    },
    readAhead: () => reader.position(),
  });
}

/** Plans a request that names one conversation. */
export function selectOne(stores: Stores, request: OneRequest, plan: Plan): BatchSource {
  const find = () => stores.conversations.findOne(request.campaignId, request.conversationId);
  return new Selection(stores, request, plan, {
    isRepeated: false,
    async *read({ position }) {
      const found = position ? undefined : await find();
      if (found) yield [found];
    },
    async count(newest) {
      const found = newest?.after.position ? undefined : await find();
      return found && plan.sources.includes(found.assigneeId) ? 1 : 0;
    },
  });
}

/**
 * Deals candidates to the targets until none is left or the limit is reached. Other programs and operations change
 * conversations meanwhile, and such a conversation can match at a place that was read already. So the candidates are read
 * again from the beginning until a whole pass finds none.
 */
class Selection implements BatchSource {
  readonly guard: WriteGuard;
  readonly readsConversations = true;
  private readonly stores: Stores;
  private readonly request: OperationRequest;
  private readonly plan: Plan;
  private readonly candidates: Candidates;
  private readonly seen: SeenConversations;
  private planner: Planner;
  private passes = 0;
  /** The number of shortfalls before a pass that found nothing; `undefined` before the first such pass. */
  private exhaustedAt: number | undefined;

  constructor(stores: Stores, request: OperationRequest, plan: Plan, candidates: Candidates) {
    this.stores = stores;
    this.request = request;
    this.plan = plan;
    this.candidates = candidates;
    this.guard = { statuses: plan.statuses, lastMovedBy: null, dealsAgain: candidates.isRepeated };
    this.planner = new Planner({ request, plan, newest: null });
    this.seen = new SeenConversations(stores.batches, request.operationId);
  }

  isComplete(): boolean {
    if (this.planner.isAtLimit || this.passes >= PASSES_MAX) return true;
    // A shortfall of a surplus is replaced by the texter's next conversations, so the sources are read again.
    const readsAgain = this.candidates.isRepeated || this.plan.surplus;
    return readsAgain ? this.planner.shortfallCount === this.exhaustedAt : this.passes > 0;
  }

  get nextTarget(): string | null {
    return this.planner.nextTarget;
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
    const { planner, passes } = this;
    const { shortfallCount } = planner;
    const { isRepeated } = this.candidates;
    const isWhole = planner.position === null;
    this.passes += 1;
    // Almost always the first pass has moved everything, and one count is cheaper than reading from every source.
    if (isRepeated && passes > 0 && (await this.candidates.count(undefined)) === 0) {
      this.exhaustedAt = shortfallCount;
      return;
    }
    if (isRepeated) this.seen.forgetPlanned();
    let hasFound = false;
    for await (const page of this.candidates.read(planner)) {
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
    if (!isRepeated || (!hasFound && isWhole)) this.exhaustedAt = shortfallCount;
    if (isRepeated) planner.restart();
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

  async countLeft(skippedInPlace: number): Promise<number> {
    const isComplete = this.candidates.isRepeated && this.planner.shortfallCount === this.exhaustedAt;
    if (isComplete || !this.candidates.isRepeated) return 0;
    return Math.max(0, (await this.candidates.count(undefined)) - skippedInPlace);
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

/** Counts whole ranges of the index and reads no document. */
async function countAfter(
  { conversations }: Stores,
  { campaignId, sources, statuses }: Pick<Plan, 'sources' | 'statuses'> & { readonly campaignId: string },
  after: Position | null,
): Promise<number> {
  if (sources.length === 0) return 0;
  const wholeStatuses = statusesFrom(statuses, after).filter((status) => status !== after?.status);
  const [restOfStatus, laterStatuses] = await Promise.all([
    after ? conversations.countAfter(campaignId, sources, after) : 0,
    wholeStatuses.length > 0 ? conversations.count(campaignId, sources, wholeStatuses) : 0,
  ]);
  return restOfStatus + laterStatuses;
}
