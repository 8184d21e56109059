import type { Assignee, Candidate, Status } from './conversation.ts';
import { compareCredits, type StatusCredits } from './credits.ts';

/**
 * `even`: every target gets the same number of the dealt conversations. `level`: the target with the lowest load is filled
 * first. Targets that are sources too keep their share, which `even` computes from the selected conversations and `level`
 * from all.
 */
export const SPREADS = ['even', 'level'] as const;

export type Spread = (typeof SPREADS)[number];

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
  private readonly credits: ReadonlyMap<Status, readonly number[]>;

  constructor(plan: DealerStart) {
    this.plan = plan;
    this.seats = new Map(plan.targets.map((target, seat) => [target, seat]));
    this.dealtTo = [...plan.loads];
    this.takenBack = plan.targets.map(() => 0);
    this.open = plan.targets.map(() => true);
    this.credits = new Map((plan.credits ?? []).map(({ status, credits }) => [status, credits]));
  }

  /** Returns the target of this conversation, or `undefined` when no target is left. */
  deal({ assigneeId, status }: Pick<Candidate, 'assigneeId' | 'status'>): Assignee | undefined {
    // Conversations that came to a source meanwhile are dealt beyond the shares.
    const seat = this.receiver(status) ?? this.leastLoaded(status);
    if (seat === undefined) return undefined;
    add(this.dealtTo, this.seats.get(assigneeId), -1);
    add(this.dealtTo, seat, 1);
    return this.plan.targets[seat];
  }

  /** Subtracts `count` deals that were not written, so that the next deals replace them. */
  takeBack({ from, to }: { readonly from: Assignee; readonly to: Assignee }, count: number): void {
    add(this.takenBack, this.seats.get(from), -count);
    add(this.takenBack, this.seats.get(to), count);
  }

  /** Leaves out a target from now on, because it is paused or no longer on the campaign. */
  leaveOut(target: Assignee): void {
    const seat = this.seats.get(target);
    if (seat !== undefined) this.open[seat] = false;
  }

  /** Returns how many conversations a target has above its share, while another target can receive them. */
  surplusOf(target: Assignee): number {
    const seat = this.seats.get(target);
    if (seat === undefined || this.receiver() === undefined) return 0;
    return Math.max(0, -this.missing(seat));
  }

  get hasTargets(): boolean {
    return this.open.includes(true);
  }

  /** Each target's load, in the order of the targets. Deals that were taken back are not subtracted. */
  get loads(): number[] {
    return [...this.dealtTo];
  }

  /** The next target below its share. */
  private receiver(status?: Status): number | undefined {
    const { shares, spread } = this.plan;
    if (!shares) return undefined;
    return this.first(status, (seat) => {
      const missing = this.missing(seat);
      if (missing <= 0) return undefined;
      const whole = (shares.after[seat] ?? 0) - (shares.before[seat] ?? 0);
      return spread === 'level' ? this.load(seat) : (whole - missing + HALF_A_DEAL) / whole;
    });
  }

  private leastLoaded(status: Status): number | undefined {
    return this.first(status, (seat) => this.load(seat));
  }

  /**
   * Returns the open seat with the lowest rank, of equal ranks the one with the largest credit, and of equal credits the
   * first. Seats without a rank are left out.
   */
  private first(status: Status | undefined, rank: (seat: number) => number | undefined): number | undefined {
    const credits = status && this.credits.get(status);
    let first: number | undefined;
    let lowest = Infinity;
    for (let seat = 0; seat < this.open.length; seat += 1) {
      const own = this.open[seat] ? rank(seat) : undefined;
      if (own === undefined || own > lowest) continue;
      if (own === lowest && compareCredits(credits?.[seat] ?? 0, credits?.[first ?? 0] ?? 0) >= 0) continue;
      first = seat;
      lowest = own;
    }
    return first;
  }

  /** How many conversations a target receives until it has its share. Negative when it is to give some. */
  private missing(seat: number): number {
    return (this.plan.shares?.after[seat] ?? 0) - this.load(seat);
  }

  private load(seat: number): number {
    return (this.dealtTo[seat] ?? 0) - (this.takenBack[seat] ?? 0);
  }
}

function add(counts: number[], seat: number | undefined, by: number): void {
  if (seat !== undefined) counts[seat] = (counts[seat] ?? 0) + by;
}
