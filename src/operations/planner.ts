import { positionOf, type Assignee, type Candidate } from '../domain/conversation.ts';
import { Dealer } from '../domain/dealing.ts';
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
  /** The shortfalls that are taken into account, by batch. */
  private readonly shortfalls = new Map<number, readonly Shortfall[]>();
  private draft = new BatchDraft();
  private state: PlanState;
  private number: number;
  private shortfallCount = 0;

  constructor({ request, plan, newest }: PlannerStart) {
    this.request = request;
    this.plan = plan;
    this.sources = new Set(plan.sources);
    this.state = newest?.after ?? { position: null, loads: plan.loads, planned: 0 };
    this.number = (newest?.number ?? 0) + 1;
    this.dealer = new Dealer({ targets: plan.targets, loads: this.state.loads, spread: plan.spread });
  }

  get position(): PlanState['position'] {
    return this.state.position;
  }

  /** The target that the campaign's next operation starts its dealing with. */
  get nextTarget(): string | null {
    return this.dealer.nextTarget ?? null;
  }

  get selectedCount(): number {
    return this.draft.selectedCount;
  }

  /** True when the planned moves reach the limit, provided that every batch in flight is written as planned. */
  get isAtLimit(): boolean {
    if (this.plan.limit === null) return false;
    return this.state.planned + this.draft.moveCount - this.shortfallCount >= this.plan.limit;
  }

  get isOutOfTargets(): boolean {
    return this.dealer.nextTarget === undefined;
  }

  /** Adds the next candidate in order to the current batch, as a move or as a skip. */
  add(candidate: Candidate): void {
    this.state = { ...this.state, position: positionOf(candidate) };
    // The status changed while the batch was being read, so the conversation was read a second time.
    if (this.draft.has(candidate)) return;
    if (!this.sources.has(candidate.assigneeId)) return this.draft.addSkip(candidate, 'assignee-changed');
    if (candidate.optedOut && !this.isUnassigning) return this.draft.addSkip(candidate, 'opted-out');
    const to = this.dealer.deal(candidate);
    if (to === undefined) return this.draft.addSkip(candidate, 'target-inactive');
    if (to === candidate.assigneeId) return this.draft.addSkip(candidate, 'already-there');
    this.draft.addMove(candidate, to);
  }

  /** Closes the current batch. Returns `undefined` when no candidate was added since the last one. */
  closeBatch(): Batch | undefined {
    if (this.draft.selectedCount === 0) return undefined;
    const planned = this.state.planned + this.draft.moveCount;
    this.state = { ...this.state, planned, loads: this.dealer.loads };
    const batch = this.finish(this.draft);
    this.draft = new BatchDraft();
    this.number += 1;
    return batch;
  }

  endMarker(): Batch {
    return this.finish(new BatchDraft());
  }

  /**
   * Lets the next candidates replace moves that were not written. `shortfalls` lists all of the batch so far. A second
   * call with the same list changes nothing.
   */
  addShortfalls(batchNumber: number, shortfalls: readonly Shortfall[]): void {
    const known = this.shortfalls.get(batchNumber) ?? [];
    if (shortfalls.length > 0) this.shortfalls.set(batchNumber, shortfalls);
    for (const { to, count } of shortfalls) {
      const more = count - (known.find((shortfall) => shortfall.to === to)?.count ?? 0);
      this.shortfallCount += more;
      this.dealer.takeBack(to, more);
    }
  }

  leaveOut(targets: readonly string[]): void {
    for (const target of targets) this.dealer.leaveOut(target);
  }

  private finish(draft: BatchDraft): Batch {
    const { operationId, campaignId } = this.request;
    return draft.finish({ operationId, campaignId, number: this.number, after: this.state });
  }

  private get isUnassigning(): boolean {
    return this.plan.targets[0] === null;
  }
}
