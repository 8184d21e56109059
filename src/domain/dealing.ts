import type { Candidate, Assignee } from './conversation.ts';

/** `even`: every target gets the same number of the dealt conversations. `level`: the target with the lowest load is filled first. */
export const SPREADS = ['even', 'level'] as const;

export type Spread = (typeof SPREADS)[number];

/**
 * Deals conversations one by one to targets.
 *
 * Both spreads follow one rule: the target with the lowest load is next, and of equal loads the first in order. With
 * `even`, every load starts at zero, which makes the dealing a round-robin. With `level`, a load starts at the number of
 * conversations that the target has. The remainder goes to the first targets in order: see {@link rotated}.
 */
export class Dealer {
  private readonly targets: readonly Assignee[];
  private readonly spread: Spread;
  private readonly seats: Map<Assignee, number>;
  private readonly dealtTo: number[];
  private readonly takenBack: number[];
  private readonly open: boolean[];

  /** `targets` are in dealing order. `loads[i]` is the load of `targets[i]` before the first deal. */
  constructor(plan: { targets: readonly Assignee[]; loads: readonly number[]; spread: Spread }) {
    this.targets = plan.targets;
    this.spread = plan.spread;
    this.dealtTo = [...plan.loads];
    this.takenBack = plan.targets.map(() => 0);
    this.open = plan.targets.map(() => true);
    this.seats = new Map(plan.targets.map((target, seat) => [target, seat]));
  }

  /** Returns the target of this conversation, or `undefined` when no target is left. */
  deal(candidate: Pick<Candidate, 'assigneeId'>): Assignee | undefined {
    // With `level`, a load is the number of conversations assigned, and this conversation leaves its assignee first.
    if (this.spread === 'level') add(this.dealtTo, this.seats.get(candidate.assigneeId), -1);
    const seat = this.leastLoaded();
    if (seat === undefined) return undefined;
    add(this.dealtTo, seat, 1);
    return this.targets[seat];
  }

  /** Subtracts `count` deals that were not written, so that the next deals replace them. */
  takeBack(target: Assignee, count: number): void {
    add(this.takenBack, this.seats.get(target), count);
  }

  /** Leaves out a target from now on, because it is paused or no longer on the campaign. */
  leaveOut(target: Assignee): void {
    const seat = this.seats.get(target);
    if (seat !== undefined) this.open[seat] = false;
  }

  /** The target of the next deal. The next operation of the campaign starts its dealing with it. */
  get nextTarget(): Assignee | undefined {
    const seat = this.leastLoaded();
    return seat === undefined ? undefined : this.targets[seat];
  }

  /** Each target's load, in the order of the targets. Deals that were taken back are not subtracted. */
  get loads(): number[] {
    return [...this.dealtTo];
  }

  private leastLoaded(): number | undefined {
    let least: number | undefined;
    for (let seat = 0; seat < this.targets.length; seat += 1) {
      if (this.open[seat] && (least === undefined || this.load(seat) < this.load(least))) least = seat;
    }
    return least;
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
