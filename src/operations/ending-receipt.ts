import type { AssigneeCount } from '../conversations/index.ts';
import {
  sumOf,
  totalUp,
  type MoveCount,
  type OverLimit,
  type Receipt,
  type SkipCount,
  type SkipReason,
} from '../domain/receipt.ts';
import { countSelected, type StoredBatch } from './batch.ts';
import { kindOf } from './kinds.ts';
import { overLimits } from './limits.ts';
import { countMoves } from './moves.ts';
import type { Operation, Plan } from './operation.ts';
import type { Ending } from './ports.ts';

/** Conversations that are skipped for these reasons still match the request. */
const SKIPPED_BUT_MATCHING: readonly SkipReason[] = ['already-there', 'opted-out', 'incomplete'];

/** Counts of the campaign when the operation ends. They change all the time and are read before the transaction. */
export interface Around {
  /** The conversations that still match; `null` when the operation leaves the others on purpose. */
  readonly left: number | null;
  readonly paused: readonly string[];
  /** The conversations of the targets in the statuses that limits are about. */
  readonly limited: readonly AssigneeCount[];
}

export const NOTHING_AROUND: Around = { left: null, paused: [], limited: [] };

interface Found extends Around {
  readonly moves: readonly MoveCount[];
  readonly skipped: readonly SkipCount[];
  /** The newest batches, if {@link needsBatches} says so. */
  readonly recent: readonly StoredBatch[];
}

/** Returns true if the receipt says what became of single conversations, or counts those that were planned and not moved. */
export function needsBatches({ request }: Operation, state: Ending['state']): boolean {
  return state === 'cancelled' || kindOf(request).resultsOf !== undefined;
}

/** Makes the receipt of an operation from its batches. */
export function receiptOf(operation: Operation, state: Ending['state'], found: Found): Receipt {
  const { request, plan, claimsEnded } = operation;
  const { moves, skipped, recent, paused } = found;
  const kind = kindOf(request);
  const isShort = plan?.numbers !== undefined && paused.length > 0;
  return totalUp(moves, skipped, {
    asked: kind.requestedCount(request),
    ended: state === 'done',
    ...(state === 'cancelled' ? { left: leftOver(plan, found) } : leftBehind(found)),
    ...(claimsEnded !== undefined && { claimsEnded }),
    pausedTargets: [...paused],
    overLimit: overLimit(plan, found),
    ...(kind.resultsOf && { results: kind.resultsOf(request, recent) }),
    ...(isShort && { shortBecause: 'texter-inactive' as const }),
  });
}

/**
 * Makes the receipt of an operation that is cancelled while it waits, together with others. What it would have selected is not
 * counted: thousands of counts of a campaign would take minutes.
 */
export function receiptOfQueued({ request }: Operation): Receipt {
  const kind = kindOf(request);
  const results = kind.resultsOf && { results: kind.resultsOf(request, []) };
  return totalUp([], [], { asked: kind.requestedCount(request), ended: false, ...results });
}

/**
 * Counts what an operation on all conversations has left behind: those beyond a confirmed number, or those that other
 * programs changed again and again. An operation with a count leaves the others on purpose.
 */
function leftBehind({ left, skipped }: Found): { readonly left?: number } {
  const inPlace = sumOf(skipped.filter(({ reason }) => SKIPPED_BUT_MATCHING.includes(reason)));
  return left !== null && left > inPlace ? { left: left - inPlace } : {};
}

/** Returns the texters who received conversations and have more now than claims would give. */
function overLimit(plan: Plan | null, { moves, limited }: Found): OverLimit[] {
  const receivers = [...new Set(moves.flatMap(({ to }) => to ?? []))];
  return plan?.limits ? overLimits(plan.limits, receivers, limited) : [];
}

/** Adds the dropped batches and the unapplied moves. The receipt has everything else before the position of planning. */
function leftOver(plan: Plan | null, { left, moves, recent }: Found): number {
  if (left === null) return 0;
  const dropped = recent
    .filter(({ state }) => state === 'dropped')
    .reduce((sum, batch) => sum + countSelected(batch), 0);
  const unapplied = countMoves(recent.flatMap(({ unappliedMoves = [] }) => unappliedMoves));
  const all = dropped + unapplied + left;
  const limit = plan?.limit ?? null;
  return limit === null ? all : Math.min(all, Math.max(0, limit - sumOf(moves)));
}
