import type { Assignee, Candidate, Status } from './conversation.ts';
import { creditRank, type StatusCredits } from './credits.ts';
import { Heap } from './heap.ts';
import type { Spread } from './operation.ts';

/** A target that receives two conversations gets them at 1/4 and 3/4 of the dealing, and not at its start and middle. */
const HALF_A_DEAL = 0.5;

export interface DealerStart {
  /** In the order of joining. */
  readonly targets: readonly Assignee[];
  /** The load of each target before the next deal, in the order of the targets. */
  readonly loads: readonly number[];
  readonly spread: Spread;
  /** The load that each target has in the beginning and in the end. Only when targets are sources too. */
  readonly shares?: { readonly before: readonly number[]; readonly after: readonly number[] };
  /** Default: every credit is zero. */
  readonly credits?: readonly StatusCredits[];
  /** True when no target may get more than its share. */
  readonly isExact?: boolean;
}

/**
 * Deals conversations one by one to targets.
 *
 * Without shares, the target with the lowest load is next. With `even`, every load starts at zero, which makes the dealing
 * a round-robin. With `level`, a load starts at the number of conversations that the target has. Of equal targets, the one
 * with the largest credit for the status of the conversation is next, and of equal credits the first in order. So the
 * remainder goes to the largest credits: see `credits.ts`.
 *
 * With shares, a target above its share gives conversations, and a target below it receives them. With `even`, the target
 * that has received the smallest fraction is next, so that all receive the same mix of old and new. With `level`, the
 * target with the lowest load is next.
 */
export class Dealer {
  private readonly plan: DealerStart;
  private readonly seats: Map<Assignee, number>;
  private readonly dealtTo: number[];
  private readonly takenBack: number[];
  private readonly open: boolean[];
  private openCount: number;
  private readonly creditRanks: ReadonlyMap<Status, readonly number[]>;
  private order: SeatOrder;

  constructor(plan: DealerStart) {
    this.plan = plan;
    this.seats = new Map(plan.targets.map((target, seat) => [target, seat]));
    this.dealtTo = [...plan.loads];
    this.takenBack = plan.targets.map(() => 0);
    this.open = plan.targets.map(() => true);
    this.openCount = plan.targets.length;
    this.creditRanks = new Map((plan.credits ?? []).map(({ status, credits }) => [status, credits.map(creditRank)]));
    this.order = this.orderFor(undefined);
  }

  /** Returns the target of this conversation, or `undefined` when no target is left. */
  deal({ assigneeId, status }: Pick<Candidate, 'assigneeId' | 'status'>): Assignee | undefined {
    const creditRanks = this.creditRanks.get(status);
    // Conversations come in the order of their statuses, so this happens a few times in an operation.
    if (creditRanks !== this.order.creditRanks) this.order = this.orderFor(creditRanks);
    // Conversations that came to a source meanwhile are dealt beyond the shares.
    const seat = this.receiver ?? (this.plan.isExact ? undefined : this.leastLoaded);
    if (seat === undefined) return undefined;
    this.add(this.dealtTo, assigneeId, -1);
    const target = this.plan.targets[seat] ?? null;
    this.add(this.dealtTo, target, 1);
    return target;
  }

  /** Subtracts `count` deals that were not written, so that the next deals replace them. */
  takeBack({ from, to }: { readonly from: Assignee; readonly to: Assignee }, count: number): void {
    this.add(this.takenBack, from, -count);
    this.add(this.takenBack, to, count);
  }

  /** Leaves out a target from now on, because it is paused or no longer on the campaign. */
  leaveOut(target: Assignee): void {
    const seat = this.seats.get(target);
    if (seat === undefined || !this.open[seat]) return;
    this.open[seat] = false;
    this.openCount -= 1;
    this.update(seat);
  }

  /** Returns how many conversations a target has above its share, while another target can receive them. */
  surplusOf(target: Assignee): number {
    const seat = this.seats.get(target);
    if (seat === undefined || this.receiver === undefined) return 0;
    return Math.max(0, -this.missing(seat));
  }

  /** True when every target has its exact number, or is left out. */
  get isFull(): boolean {
    return this.plan.isExact === true && this.receiver === undefined;
  }

  get hasTargets(): boolean {
    return this.openCount > 0;
  }

  /** Each target's load, in the order of the targets. Deals that were taken back are not subtracted. */
  get loads(): number[] {
    return [...this.dealtTo];
  }

  /** The next target below its share. */
  private get receiver(): number | undefined {
    const seat = this.order.receivers?.first;
    return seat !== undefined && this.rankOfReceiver(seat) < Infinity ? seat : undefined;
  }

  private get leastLoaded(): number | undefined {
    const seat = this.order.all.first;
    return seat !== undefined && this.rankByLoad(seat) < Infinity ? seat : undefined;
  }

  private orderFor(creditRanks: readonly number[] | undefined): SeatOrder {
    const { targets, shares } = this.plan;
    const heapBy = (rank: (seat: number) => number): Heap => new Heap(targets.length, seatOrder(rank, creditRanks));
    return {
      creditRanks,
      receivers: shares && heapBy((seat) => this.rankOfReceiver(seat)),
      all: heapBy((seat) => this.rankByLoad(seat)),
    };
  }

  private rankOfReceiver(seat: number): number {
    const missing = this.missing(seat);
    if (!this.open[seat] || missing <= 0) return Infinity;
    const { shares, spread } = this.plan;
    const whole = (shares?.after[seat] ?? 0) - (shares?.before[seat] ?? 0);
    return spread === 'level' ? this.load(seat) : (whole - missing + HALF_A_DEAL) / whole;
  }

  private rankByLoad(seat: number): number {
    return this.open[seat] ? this.load(seat) : Infinity;
  }

  /** How many conversations a target receives until it has its share. Negative when it is to give some. */
  private missing(seat: number): number {
    return (this.plan.shares?.after[seat] ?? 0) - this.load(seat);
  }

  private load(seat: number): number {
    return (this.dealtTo[seat] ?? 0) - (this.takenBack[seat] ?? 0);
  }

  private add(counts: number[], target: Assignee, by: number): void {
    const seat = this.seats.get(target);
    if (seat === undefined) return;
    counts[seat] = (counts[seat] ?? 0) + by;
    this.update(seat);
  }

  private update(seat: number): void {
    this.order.receivers?.update(seat);
    this.order.all.update(seat);
  }
}

/** The seats in the order in which they receive conversations of one status. */
interface SeatOrder {
  readonly creditRanks: readonly number[] | undefined;
  /** Absent without shares. */
  readonly receivers: Heap | undefined;
  readonly all: Heap;
}

/** Orders seats by rank, of equal ranks the largest credit first, and equal credits as the targets are ordered. */
function seatOrder(rank: (seat: number) => number, creditRanks: readonly number[] = []) {
  return (a: number, b: number): boolean => {
    const [rankA, rankB] = [rank(a), rank(b)];
    if (rankA !== rankB) return rankA < rankB;
    const difference = (creditRanks[b] ?? 0) - (creditRanks[a] ?? 0);
    return difference === 0 ? a < b : difference < 0;
  };
}
