import type { Assignee, Candidate } from './conversation.ts';

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
  /** In dealing order. */
  readonly targets: readonly Assignee[];
  /** The load of each target before the next deal, in the order of the targets. */
  readonly loads: readonly number[];
  readonly spread: Spread;
  /** The load that each target has in the beginning and in the end. Only when targets are sources too. */
  readonly shares?: { readonly before: readonly number[]; readonly after: readonly number[] };
}

/**
 * Deals conversations one by one to targets.
 *
 * Without shares, the target with the lowest load is next, and of equal loads the first in order. With `even`, every load
 * starts at zero, which makes the dealing a round-robin. With `level`, a load starts at the number of conversations that
 * the target has. The remainder goes to the first targets in order: see {@link rotated}.
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

  constructor(plan: DealerStart) {
    this.plan = plan;
    this.seats = new Map(plan.targets.map((target, seat) => [target, seat]));
    this.dealtTo = [...plan.loads];
    this.takenBack = plan.targets.map(() => 0);
    this.open = plan.targets.map(() => true);
  }

  /** Returns the target of this conversation, or `undefined` when no target is left. */
  deal({ assigneeId }: Pick<Candidate, 'assigneeId'>): Assignee | undefined {
    // Conversations that came to a source meanwhile are dealt beyond the shares.
    const seat = this.receiver() ?? this.leastLoaded();
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

  /** The target of the next deal. The next operation of the campaign starts its dealing with it. */
  get nextTarget(): Assignee | undefined {
    const seat = this.leastLoaded();
    return seat === undefined ? undefined : this.plan.targets[seat];
  }

  /** Each target's load, in the order of the targets. Deals that were taken back are not subtracted. */
  get loads(): number[] {
    return [...this.dealtTo];
  }

  /** The next target below its share. */
  private receiver(): number | undefined {
    const { shares, spread } = this.plan;
    if (!shares) return undefined;
    return this.first((seat) => {
      const missing = this.missing(seat);
      if (missing <= 0) return undefined;
      const whole = (shares.after[seat] ?? 0) - (shares.before[seat] ?? 0);
      return spread === 'level' ? this.load(seat) : (whole - missing + HALF_A_DEAL) / whole;
    });
  }

  private leastLoaded(): number | undefined {
    return this.first((seat) => this.load(seat));
  }

  /** Returns the open seat with the lowest rank, and of equal ranks the first. Seats without a rank are left out. */
  private first(rank: (seat: number) => number | undefined): number | undefined {
    let first: number | undefined;
    let lowest = Infinity;
    for (let seat = 0; seat < this.open.length; seat += 1) {
      const own = this.open[seat] ? rank(seat) : undefined;
      if (own === undefined || own >= lowest) continue;
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

/** A texter with the place in the campaign's order of joining. */
export interface Seat {
  readonly texterId: string;
  readonly joinedOrder: number;
}

/**
 * Returns the targets in dealing order: in the order of joining, starting at `nextJoinedOrder`. The first targets get the
 * remainder of an uneven split. Each operation stores on the campaign where the next one starts, so that the remainder
 * goes to other texters each time.
 */
export function rotated(targets: readonly Seat[], nextJoinedOrder: number): Seat[] {
  const joined = [...targets].sort((a, b) => a.joinedOrder - b.joinedOrder);
  const first = joined.findIndex((seat) => seat.joinedOrder >= nextJoinedOrder);
  return first <= 0 ? joined : [...joined.slice(first), ...joined.slice(0, first)];
}
