import { BatchDraft, type Batch, type PlanState, type Shortfall } from './batch.ts';
import type { Candidate, Assignee } from '../domain/conversation.ts';
import { Dealer } from '../domain/dealing.ts';
import type { Operation, Plan } from './operation.ts';
import { positionOf } from '../domain/selection.ts';

/** Plans one operation's batches, candidate by candidate. Knows no store: it is forwarded what was read. */
export class Planner {
  private readonly operation: Pick<Operation, 'operationId' | 'campaignId'>;
  private readonly plan: Plan;
  private readonly dealer: Dealer;
  private readonly batchMax: number;
  private readonly sources: ReadonlySet<Assignee>;
  private draft = new BatchDraft();
  private state: PlanState;
  private shortfallCount = 0;
  private readonly shortfallsAddedOf = new Set<number>();
  private number: number;

  /** `last`: the newest batch already planned, to go on from; `null` at the start. */
  constructor(of: {
    operation: Pick<Operation, 'operationId' | 'campaignId'>;
    plan: Plan;
    last: Batch | null;
    batchMax: number;
  }) {
    this.operation = of.operation;
    this.plan = of.plan;
    this.batchMax = of.batchMax;
    this.sources = new Set(of.plan.sources);
    this.state = of.last?.after ?? { position: null, loads: of.plan.loads, planned: 0 };
    this.number = (of.last?.number ?? 0) + 1;
    this.dealer = new Dealer({ targets: of.plan.targets, loads: this.state.loads, spread: of.plan.spread });
  }

  get position(): PlanState['position'] {
    return this.state.position;
  }

  /** Where the next operation's dealing begins. */
  get nextUp(): string | null {
    return this.dealer.nextUp ?? null;
  }

  /** Planned, less what shortfallCount away: what will have moved when all planned batches are applied. */
  private get expectedMoves(): number {
    return this.state.planned + this.draft.moveCount - this.shortfallCount;
  }

  get isAtLimit(): boolean {
    return this.plan.limit !== null && this.expectedMoves >= this.plan.limit;
  }

  get isOutOfTargets(): boolean {
    return this.dealer.nextUp === undefined;
  }

  get isBatchFull(): boolean {
    return this.draft.selectedCount >= this.batchMax;
  }

  /** Takes the next conversation in order into the batch in hand. */
  take(candidate: Candidate): void {
    this.state = { ...this.state, position: positionOf(candidate) };
    // Its status changed while the batch was being read, which brought it up again.
    if (this.draft.has(candidate)) return;
    if (!this.sources.has(candidate.assigneeId)) return this.draft.addSkip(candidate, 'assignee-changed');
    if (candidate.optedOut && !this.isUnassigning) return this.draft.addSkip(candidate, 'opted-out');
    const to = this.dealer.deal(candidate);
    if (to === undefined) return this.draft.addSkip(candidate, 'target-inactive');
    if (to === candidate.assigneeId) return this.draft.addSkip(candidate, 'already-there');
    this.draft.addMove(candidate, to);
  }

  /** The batch in hand, closed; `undefined` when nothing was selected since the last. */
  closeBatch(): Batch | undefined {
    if (this.draft.selectedCount === 0) return undefined;
    const planned = this.state.planned + this.draft.moveCount;
    this.state = { ...this.state, planned, loads: this.dealer.loads };
    const batch = this.finish(this.draft);
    this.draft = new BatchDraft();
    this.number += 1;
    return batch;
  }

  /** The empty batch that says there are no more. */
  endMarker(): Batch {
    return this.finish(new BatchDraft());
  }

  /** A batch's moves that were planned and not written make room for others. Telling it twice changes nothing. */
  addShortfalls(batchNumber: number, shortfalls: readonly Shortfall[]): void {
    if (this.shortfallsAddedOf.has(batchNumber)) return;
    if (shortfalls.length > 0) this.shortfallsAddedOf.add(batchNumber);
    for (const shortfall of shortfalls) {
      this.shortfallCount += shortfall.count;
      this.dealer.takeBack(shortfall.to, shortfall.count);
    }
  }

  leaveOut(targets: readonly string[]): void {
    for (const target of targets) this.dealer.leaveOut(target);
  }

  private finish(draft: BatchDraft): Batch {
    const { operationId, campaignId } = this.operation;
    return draft.finish({ operationId, campaignId, number: this.number, after: this.state });
  }

  private get isUnassigning(): boolean {
    return this.plan.targets[0] === null;
  }
}
