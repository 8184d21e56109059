import type { Candidate, Assignee } from './conversation.ts';

/** `even`: of what is dealt, everybody gets as many. `level`: the least loaded is filled first. */
export const SPREADS = ['even', 'level'] as const;

export type Spread = (typeof SPREADS)[number];

/**
 * Deals conversations one by one over its targets.
 *
 * Both spreads are one rule, "the least loaded is next, ties in order": `even` starts everybody at zero,
 * which makes it a round-robin; `level` starts at what each holds.
 */
export class Dealer {
  private readonly targets: readonly Assignee[];
  private readonly spread: Spread;
  private readonly seats: Map<Assignee, number>;
  private readonly dealtTo: number[];
  private readonly takenBack: number[];
  private readonly open: boolean[];

  /** `targets` in dealing order; `loads[i]` is what `targets[i]` counts as having before the first deal. */
  constructor(plan: { targets: readonly Assignee[]; loads: readonly number[]; spread: Spread }) {
    this.targets = plan.targets;
    this.spread = plan.spread;
    this.dealtTo = [...plan.loads];
    this.takenBack = plan.targets.map(() => 0);
    this.open = plan.targets.map(() => true);
    this.seats = new Map(plan.targets.map((target, seat) => [target, seat]));
  }

  /** Who gets this conversation next, or `undefined` when no target is left. */
  deal(candidate: Pick<Candidate, 'assigneeId'>): Assignee | undefined {
    // Levelling counts what each holds, and what is being dealt leaves its assignee's hand first.
    if (this.spread === 'level') add(this.dealtTo, this.seats.get(candidate.assigneeId), -1);
    const seat = this.leastLoaded();
    if (seat === undefined) return undefined;
    add(this.dealtTo, seat, 1);
    return this.targets[seat];
  }

  /** Takes back `count` deals that came to nothing, so that the next ones make good for them. */
  takeBack(target: Assignee, count: number): void {
    add(this.takenBack, this.seats.get(target), count);
  }

  /** Leaves a target out from now on: paused, or no longer on the campaign. */
  leaveOut(target: Assignee): void {
    const seat = this.seats.get(target);
    if (seat !== undefined) this.open[seat] = false;
  }

  /** Whose turn it would be: where the next operation's dealing begins. */
  get nextUp(): Assignee | undefined {
    const seat = this.leastLoaded();
    return seat === undefined ? undefined : this.targets[seat];
  }

  /** What each target was dealt, in the order of the targets, on top of what it began with; nothing taken back. */
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

/** A texter's place in the campaign's order of joining. */
export interface Seat {
  readonly texterId: string;
  readonly joinedOrder: number;
}

/**
 * Targets in dealing order: as they joined, beginning with the one whose turn it is (`nextJoinedOrder`, kept on the
 * campaign), so that the remainder of an uneven split falls on others each time.
 */
export function rotated(targets: readonly Seat[], nextJoinedOrder: number): Seat[] {
  const joined = [...targets].sort((a, b) => a.joinedOrder - b.joinedOrder);
  const first = joined.findIndex((seat) => seat.joinedOrder >= nextJoinedOrder);
  return first <= 0 ? joined : [...joined.slice(first), ...joined.slice(0, first)];
}
