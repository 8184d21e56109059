import type { AssigneeCount } from '../conversations/index.ts';
import { isStatus, type Assignee } from '../domain/conversation.ts';
import { creditRank, type StatusCredits } from '../domain/credits.ts';
import { sumsByAssignee } from './moves.ts';
import type { Plan, Surplus } from './operation.ts';

export interface SurplusCounts {
  /** All conversations of the campaign by assignee and status. */
  readonly all: readonly AssigneeCount[];
  /** Those that no texter can act on: the contact opted out, or the document is incomplete. They stay where they are. */
  readonly fixed: readonly AssigneeCount[];
}

export type SurplusRequest = Pick<Plan, 'sources' | 'targets' | 'spread' | 'statuses' | 'credits'>;

/**
 * Computes the shares: as equal as the selected conversations allow, with the fewest moves. `level` makes the numbers of
 * all conversations equal, and `even` those of the selected ones. Conversations that no texter can act on do not count.
 */
export function findSurplus(request: SurplusRequest, counts: SurplusCounts): Required<Pick<Plan, 'loads' | 'surplus'>> {
  const { sources, targets, statuses, spread, credits = [] } = request;
  const isSource = new Set(sources);
  const isTarget = new Set(targets);
  const isSelected = ({ assigneeId, status }: AssigneeCount): boolean =>
    isSource.has(assigneeId) && statuses.includes(status);
  const selected = sumsByAssignee(counts.all.filter(isSelected));
  const movable = actionable(counts, isSelected);
  const counted = spread === 'level' ? actionable(counts, ({ status }) => isStatus(status)) : movable;
  const loads = targets.map(counted);
  const floors = targets.map((target, seat) => (loads[seat] ?? 0) - movable(target));
  const amount = sources.reduce((sum, source) => sum + movable(source), 0);
  const emptied = sources.filter((source) => !isTarget.has(source) && countOf(selected, source) > 0);
  return { loads, surplus: { emptied, shares: fill(amount, floors, loads, credits) } };
}

/** Returns a function that counts the conversations of an assignee that a texter can act on. */
function actionable(
  { all, fixed }: SurplusCounts,
  isCounted: (count: AssigneeCount) => boolean,
): (assignee: Assignee) => number {
  const [counted, idle] = [sumsByAssignee(all.filter(isCounted)), sumsByAssignee(fixed.filter(isCounted))];
  // Contacts may opt out between the two counts.
  return (assignee) => Math.max(0, countOf(counted, assignee) - countOf(idle, assignee));
}

/** Counts the conversations that targets have above their shares. */
export function countSurplus({ shares }: Surplus, loads: readonly number[]): number {
  return shares.reduce((sum, share, seat) => sum + Math.max(0, (loads[seat] ?? 0) - share), 0);
}

/**
 * Adds `amount` to the floors so that the results are as equal as possible. The remainder goes to the targets that can keep
 * it, because they have more than the others already, and then to those with the largest credits.
 */
function fill(
  amount: number,
  floors: readonly number[],
  loads: readonly number[],
  credits: readonly StatusCredits[],
): number[] {
  const level = highestLevel(amount, floors);
  const shares = floors.map((floor) => Math.max(floor, level));
  const remainder = amount - needed(level, floors);
  const seats = floors.flatMap((floor, seat) => (floor <= level ? [seat] : []));
  const keepers = seats.filter((seat) => (loads[seat] ?? 0) > level);
  const rankOf = (seat: number): number =>
    creditRank(credits.reduce((sum, { credits: own }) => sum + (own[seat] ?? 0), 0));
  const others = seats.filter((seat) => (loads[seat] ?? 0) <= level).sort((a, b) => rankOf(b) - rankOf(a) || a - b);
  for (const seat of [...keepers, ...others].slice(0, remainder)) shares[seat] = level + 1;
  return shares;
}

/** Returns the highest level that `amount` can raise all lower floors to. */
function highestLevel(amount: number, floors: readonly number[]): number {
  let level = Math.min(...floors);
  let tooHigh = level + amount + 1;
  while (tooHigh - level > 1) {
    const middle = Math.floor((level + tooHigh) / 2);
    if (needed(middle, floors) <= amount) level = middle;
    else tooHigh = middle;
  }
  return level;
}

function needed(level: number, floors: readonly number[]): number {
  return floors.reduce((sum, floor) => sum + Math.max(0, level - floor), 0);
}

function countOf(counts: ReadonlyMap<Assignee, number>, assigneeId: Assignee): number {
  return counts.get(assigneeId) ?? 0;
}
