import type { Assignee, Status } from './conversation.ts';

/** Why a selected conversation did not move. A closed set and part of the public contract. */
export const SKIP_REASONS = [
  'assignee-changed',
  'status-changed',
  'opted-out',
  'target-inactive',
  'already-there',
  'worked-on',
  'incomplete',
  'gone',
] as const;

export type SkipReason = (typeof SKIP_REASONS)[number];

export const OVER_LIMITS = ['open-max', 'replies-max'] as const;

/** A texter who has more conversations after an operation than claims would give. `max` is the campaign's limit. */
export interface OverLimit {
  readonly texterId: string;
  /** `open-max` limits not-started conversations, `replies-max` those that need a reply. */
  readonly limit: (typeof OVER_LIMITS)[number];
  readonly max: number;
  /**
   * How many the texter had at the end of the operation. In a queue of operations, the number can be a second old, but it
   * includes their moves.
   */
  readonly count: number;
}

/** What became of a conversation in a list. `stopped`: the operation was cancelled or failed before it. */
export const LISTED_RESULTS = ['moved', 'stopped', ...SKIP_REASONS] as const;

export interface ListedResult {
  readonly conversationId: string;
  readonly result: (typeof LISTED_RESULTS)[number];
}

/** The number of conversations that made the same move. */
export interface MoveCount {
  readonly from: Assignee;
  readonly to: Assignee;
  readonly status: Status;
  readonly count: number;
}

export interface SkipCount {
  readonly reason: SkipReason;
  readonly count: number;
}

/** Why a waiting claim ended before its deadline without all that it asked for. Waiting longer would not help. */
export const CLAIM_ENDED_REASONS = [
  'campaign-closed',
  'self-assign-off',
  'texter-inactive',
  'unknown-texter',
  'unassigned',
  'replaced',
] as const;

export type ClaimEndedReason = (typeof CLAIM_ENDED_REASONS)[number];

/** Why fewer conversations moved than the request asked for. */
export const SHORT_REASONS = [
  'none-left',
  'being-reassigned',
  'stopped',
  'batch-max',
  'open-max',
  ...CLAIM_ENDED_REASONS,
] as const;

export type ShortBecause = (typeof SHORT_REASONS)[number];

/**
 * The stored result of an operation. Its counts come from what was written: `selected` is `moved` plus all skips.
 * Assignees are texter ids, `null` is the pool.
 */
export interface Receipt {
  readonly selected: number;
  readonly moved: number;
  /** The count that the request asked for; `null` for all. */
  readonly asked: number | null;
  /** Why fewer conversations moved than the request asked for. */
  readonly shortBecause: ShortBecause | null;
  /**
   * For a cancelled operation: how many more conversations it would have selected, up to its limit; `null` when it was cancelled
   * together with others that waited. For an operation on all conversations that is done: how many still match. Otherwise
   * `null`.
   */
  readonly left: number | null;
  /** How many waiting claims an unassign of everything has ended; absent when there were none. */
  readonly claimsEnded?: number;
  /** Targets that were paused or removed before the operation ended. They may have received less, or nothing. */
  readonly pausedTargets?: readonly string[];
  /** The texters whom the operation took past a limit; absent when there are none. */
  readonly overLimit?: readonly OverLimit[];
  /** For an operation on a list of conversations: what became of each, in the order of the list. */
  readonly results?: readonly ListedResult[];
  readonly skipped: readonly SkipCount[];
  readonly bySource: readonly { readonly assigneeId: Assignee; readonly count: number }[];
  readonly byTarget: readonly { readonly assigneeId: Assignee; readonly count: number }[];
  readonly byStatus: readonly { readonly status: Status; readonly count: number }[];
}

/** Builds a receipt from the applied batches. `ended` is false for an operation that stopped before its end. */
export function totalUp(
  moves: readonly MoveCount[],
  skipped: readonly SkipCount[],
  wanted: {
    readonly asked: number | null;
    readonly ended: boolean;
    readonly left?: number;
    readonly claimsEnded?: number;
    readonly pausedTargets?: readonly string[];
    readonly overLimit?: readonly OverLimit[];
    readonly results?: readonly ListedResult[];
    /** Why the operation moved fewer than asked for. Default: `none-left`. */
    readonly shortBecause?: ShortBecause;
  },
): Receipt {
  const moved = sumOf(moves);
  const short = wanted.asked !== null && moved < wanted.asked;
  return {
    selected: moved + sumOf(skipped),
    moved,
    asked: wanted.asked,
    shortBecause: wanted.ended ? (short ? (wanted.shortBecause ?? 'none-left') : null) : 'stopped',
    left: wanted.left ?? null,
    ...(wanted.claimsEnded !== undefined && wanted.claimsEnded > 0 && { claimsEnded: wanted.claimsEnded }),
    ...(wanted.pausedTargets && wanted.pausedTargets.length > 0 && { pausedTargets: wanted.pausedTargets }),
    ...(wanted.overLimit && wanted.overLimit.length > 0 && { overLimit: wanted.overLimit }),
    ...(wanted.results && { results: wanted.results }),
    skipped,
    bySource: tally(moves, (move) => move.from).map(([assigneeId, count]) => ({ assigneeId, count })),
    byTarget: tally(moves, (move) => move.to).map(([assigneeId, count]) => ({ assigneeId, count })),
    byStatus: tally(moves, (move) => move.status).map(([status, count]) => ({ status, count })),
  };
}

export function sumOf(counts: readonly { readonly count: number }[]): number {
  return counts.reduce((total, { count }) => total + count, 0);
}

function tally<Key>(moves: readonly MoveCount[], keyOf: (move: MoveCount) => Key): [Key, number][] {
  const counts = new Map<Key, number>();
  for (const move of moves) counts.set(keyOf(move), (counts.get(keyOf(move)) ?? 0) + move.count);
  return [...counts];
}
