import { STATUSES, type Assignee, type Status } from './conversation.ts';
import type { MoveCount } from './receipt.ts';

/**
 * The credit of a texter for one status: the exact shares of past deals minus the conversations received. It counts the
 * deals in which the texter was a target. The remainder of a deal goes to the targets with the largest credit, so it evens
 * out over any mix of operations.
 */
export interface Credit {
  readonly texterId: string;
  readonly status: Status;
  readonly credit: number;
}

/** The credits of an operation's targets for one status, in the order of the targets. */
export interface StatusCredits {
  readonly status: Status;
  readonly credits: readonly number[];
}

/** What the credits of a deal depend on. `loads` and `shares` are in the order of the targets. */
export interface Dealt {
  readonly targets: readonly Assignee[];
  readonly spread: string;
  /** The load of each target before the deal. */
  readonly loads: readonly number[];
  /** The load that each target has in the end. Only when targets are sources too. */
  readonly shares?: readonly number[];
}

/** Credits are sums of fractions. They are rounded, so that equal credits compare as equal. */
const STORED_DIGITS = 9;
const RANKS_OF_ONE = 1e6;

/** Returns a whole number that is larger for a larger credit. */
export function creditRank(credit: number): number {
  return Math.round(credit * RANKS_OF_ONE);
}

/** Selects the credits of these targets. Statuses for which all are zero are left out. */
export function creditsOf(
  stored: readonly Credit[],
  targets: readonly Assignee[],
  statuses: readonly Status[],
): StatusCredits[] {
  const byKey = new Map(stored.map(({ texterId, status, credit }) => [creditKey(texterId, status), credit]));
  return statuses.flatMap((status) => {
    const credits = targets.map((target) => byKey.get(creditKey(target ?? '', status)) ?? 0);
    return credits.some((credit) => credit !== 0) ? [{ status, credits }] : [];
  });
}

/**
 * A target that received so much less than its exact share was left out for a part of the deal, such as a texter who was
 * paused for a while.
 */
const LEFT_OUT_BELOW = -2;

/** Returns the credits after a deal. `moves` counts what was written; `paused` are targets that are paused in the end. */
export function creditsAfter(
  stored: readonly Credit[],
  dealt: Dealt,
  moves: readonly MoveCount[],
  paused: ReadonlySet<Assignee>,
): Credit[] {
  const sums = new Map(stored.map((each) => [creditKey(each.texterId, each.status), each]));
  for (const { texterId, status, credit: change } of changesOfPresent(dealt, moves, paused)) {
    const key = creditKey(texterId, status);
    const credit = Number(((sums.get(key)?.credit ?? 0) + change).toFixed(STORED_DIGITS));
    sums.set(key, { texterId, status, credit });
  }
  return [...sums.values()].filter(({ credit }) => credit !== 0);
}

/** Leaves out targets until the others have received their exact shares, but for the remainder. */
function changesOfPresent(dealt: Dealt, moves: readonly MoveCount[], paused: ReadonlySet<Assignee>): Credit[] {
  const leftOut = new Set(paused);
  for (;;) {
    const changes = creditChanges(dealt, moves, leftOut);
    const owed = new Map<string, number>();
    for (const { texterId, credit } of changes) owed.set(texterId, (owed.get(texterId) ?? 0) - credit);
    const absent = [...owed].filter(([, received]) => received < LEFT_OUT_BELOW);
    if (absent.length === 0) return changes;
    for (const [texterId] of absent) leftOut.add(texterId);
  }
}

function creditChanges(dealt: Dealt, moves: readonly MoveCount[], leftOut: ReadonlySet<Assignee>): Credit[] {
  const seats = receivingSeats(dealt, leftOut);
  const seatOf = new Map(seats.map(({ target }, seat) => [target, seat]));
  const exact = exactShares(dealt, seats);
  return STATUSES.flatMap((status) => {
    const received = seats.map(() => 0);
    for (const { to, count } of moves.filter((move) => move.status === status)) {
      const seat = seatOf.get(to);
      if (seat !== undefined) received[seat] = (received[seat] ?? 0) + count;
    }
    const shares = exact(sumOf(received));
    return seats.map(({ target }, seat) => ({
      texterId: target ?? '',
      status,
      credit: (shares[seat] ?? 0) - (received[seat] ?? 0),
    }));
  });
}

interface Seat {
  readonly target: Assignee;
  readonly load: number;
  readonly share: number;
}

/** Leaves out the targets that keep more than the others, because they compete for no remainder. */
function receivingSeats({ targets, loads, shares }: Dealt, leftOut: ReadonlySet<Assignee>): Seat[] {
  const seats = targets.map((target, at) => ({ target, load: loads[at] ?? 0, share: shares?.[at] ?? 0 }));
  const present = seats.filter(({ target }) => !leftOut.has(target));
  if (!shares) return present;
  const lowest = Math.min(...present.map(({ share }) => share));
  return present.filter(({ load }) => load <= lowest);
}

/**
 * Returns a function that divides the conversations of each status into exact shares. Call it once for each status, in the
 * order of selection.
 */
function exactShares({ spread, shares }: Dealt, seats: readonly Seat[]): (amount: number) => number[] {
  let loads = seats.map(({ load }) => load);
  if (shares && spread === 'even') {
    const total = sumOf(seats.map(({ load, share }) => share - load));
    const parts = pour(loads, total);
    if (total > 0) return (amount) => parts.map((part) => (amount * part) / total);
  }
  return (amount) => {
    const poured = pour(loads, amount);
    loads = loads.map((load, seat) => load + (poured[seat] ?? 0));
    return poured;
  };
}

/** Divides `amount`, in fractions, so that the lowest loads rise to one level. Returns the increase of each load. */
function pour(loads: readonly number[], amount: number): number[] {
  const sorted = [...loads].sort((a, b) => a - b);
  let level = 0;
  let sum = amount;
  for (const [at, load] of sorted.entries()) {
    if (at > 0 && load >= level) break;
    sum += load;
    level = sum / (at + 1);
  }
  return loads.map((load) => Math.max(0, level - load));
}

function creditKey(texterId: string, status: Status): string {
  return `${status} ${texterId}`;
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
