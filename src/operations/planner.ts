import { isStatus, positionOf, type Assignee, type Candidate, type Position } from '../domain/conversation.ts';
import { Dealer } from '../domain/dealing.ts';
import type { SkipReason } from '../domain/receipt.ts';
import { BatchDraft, type Batch, type PlanState, type Shortfall } from './batch.ts';
import type { Plan } from './operation.ts';

export interface PlannerStart {
  readonly request: { readonly operationId: string; readonly campaignId: string };
  readonly plan: Plan;
  /** The newest stored batch; `null` when there is none. */
  readonly newest: Batch | null;
}

/** Turns candidates, given one by one in the order of selection, into batches. It reads and writes nothing. */
export class Planner {
  private readonly request: PlannerStart['request'];
  private readonly plan: Plan;
  private readonly dealer: Dealer;
  private readonly sources: ReadonlySet<Assignee>;
  /** The targets that keep their share of their own conversations. */
  private readonly keepers: ReadonlySet<Assignee>;
  /** The shortfalls that are taken into account, by batch. */
  private readonly shortfalls = new Map<number, readonly Shortfall[]>();
  private draft = new BatchDraft();
  private state: PlanState;
  /** The last candidate that was added in order; `undefined` before the first one of a pass. */
  private last: Candidate | undefined;
  /** The last candidate of a surplus; `undefined` before the first one of a pass. */
  private lastOfSurplus: Candidate | undefined;
  private number: number;
  private notWritten = 0;
  /** The last position of the pass before. */
  private endOfPass: PlanState['position'] = null;

  constructor({ request, plan, newest }: PlannerStart) {
    this.request = request;
    this.plan = plan;
    this.sources = new Set(plan.sources);
    this.state = newest?.after ?? { position: null, loads: plan.loads, planned: 0 };
    this.number = (newest?.number ?? 0) + 1;
    this.keepers = new Set(plan.surplus ? plan.targets : []);
    this.dealer = dealerOf(plan, this.state.loads);
  }

  get position(): PlanState['position'] {
    return this.last ? positionOf(this.last) : this.state.position;
  }

  /** How far the surplus of the targets was read from the end of the order. */
  get surplusPosition(): Position | null {
    return this.lastOfSurplus ? positionOf(this.lastOfSurplus) : (this.state.surplusPosition ?? null);
  }

  /** True when nothing was added in this pass, by this process or an earlier one. */
  get isAtStart(): boolean {
    return this.position === null && this.surplusPosition === null;
  }

  /** Starts another pass over the candidates. */
  restart(): void {
    this.endOfPass = this.position ?? this.endOfPass;
    this.last = undefined;
    this.lastOfSurplus = undefined;
    this.state = { ...this.state, position: null, surplusPosition: null };
  }

  get selectedCount(): number {
    return this.draft.selectedCount;
  }

  /** The number of planned moves that were not written so far. */
  get shortfallCount(): number {
    return this.notWritten;
  }

  /** True when the planned moves reach the limit, provided that every batch in flight is written as planned. */
  get isAtLimit(): boolean {
    return this.roomLeft <= 0 || this.dealer.isFull;
  }

  get isOutOfTargets(): boolean {
    return !this.dealer.hasTargets;
  }

  /** Returns how many more conversations a target gives to other targets. */
  surplusOf(target: Assignee): number {
    return Math.min(this.dealer.surplusOf(target), this.roomLeft);
  }

  /** Returns false for a conversation that stays with its assignee, because it is within the share of the assignee. */
  selects({ assigneeId, isIncomplete }: Candidate): boolean {
    return isIncomplete === true || !this.keepers.has(assigneeId) || this.dealer.surplusOf(assigneeId) > 0;
  }

  /** Adds the next candidate in order to the current batch, as a move or as a skip. */
  add(candidate: Candidate): void {
    if (isStatus(candidate.status)) {
      if (this.keepers.has(candidate.assigneeId)) this.lastOfSurplus = candidate;
      else this.last = candidate;
    }
    // The status changed while the batch was being read, so the conversation was read a second time.
    if (this.draft.has(candidate)) return;
    if (!this.sources.has(candidate.assigneeId)) return this.draft.addSkip(candidate, 'assignee-changed');
    if (candidate.isIncomplete) return this.draft.addSkip(candidate, 'incomplete');
    if (candidate.optedOut && !this.isUnassigning) return this.draft.addSkip(candidate, 'opted-out');
    const to = this.dealer.deal(candidate);
    if (to === undefined) return this.draft.addSkip(candidate, 'target-inactive');
    if (to === candidate.assigneeId) return this.draft.addSkip(candidate, 'already-there');
    this.draft.addMove(candidate, to);
  }

  /** Adds a conversation that cannot move to the current batch. */
  addSkip(id: string, reason: SkipReason): void {
    this.draft.addSkip({ id }, reason);
  }

  /** Closes the current batch. Returns `undefined` when no candidate was added since the last one. */
  closeBatch(): Batch | undefined {
    if (this.draft.selectedCount === 0) return undefined;
    const planned = this.state.planned + this.draft.moveCount;
    const { position, surplusPosition } = this;
    this.state = { ...this.state, position, surplusPosition, planned, loads: this.dealer.loads };
    const batch = this.finish(this.draft);
    this.draft = new BatchDraft();
    this.number += 1;
    return batch;
  }

  endMarker(): Batch {
    this.state = { ...this.state, position: this.position ?? this.endOfPass };
    return this.finish(new BatchDraft());
  }

  /**
   * Lets the next candidates replace moves that were not written. `shortfalls` lists all of the batch so far. A second
   * call with the same list changes nothing.
   */
  addShortfalls(batchNumber: number, shortfalls: readonly Shortfall[]): void {
    const known = this.shortfalls.get(batchNumber) ?? [];
    if (shortfalls.length > 0) this.shortfalls.set(batchNumber, shortfalls);
    for (const { from, to, count } of shortfalls) {
      const more = count - (known.find((same) => same.from === from && same.to === to)?.count ?? 0);
      this.notWritten += more;
      this.dealer.takeBack({ from, to }, more);
    }
  }

  leaveOut(targets: readonly string[]): void {
    for (const target of targets) this.dealer.leaveOut(target);
  }

  private finish(draft: BatchDraft): Batch {
    const { operationId, campaignId } = this.request;
    return draft.finish({ operationId, campaignId, number: this.number, after: this.state });
  }

  private get roomLeft(): number {
    return (this.plan.limit ?? Infinity) - this.state.planned - this.draft.moveCount + this.notWritten;
  }

  private get isUnassigning(): boolean {
    return this.plan.targets[0] === null;
  }
}

function dealerOf(
  { targets, spread, loads: before, surplus, numbers, credits = [] }: Plan,
  loads: readonly number[],
): Dealer {
  const after = surplus?.shares ?? numbers;
  const shares = after && { shares: { before, after }, isExact: numbers !== undefined };
  return new Dealer({ targets, loads, spread, credits, ...shares });
}
