import type { Refusal } from '../domain/errors.ts';
import type { OperationRecord } from '../domain/operation.ts';
import { CLAIM_ENDED_REASONS, type ClaimEndedReason, type Receipt } from '../domain/receipt.ts';
import { toStoredError } from '../domain/stored-error.ts';
import type { ClaimCommand, ClaimRequest, ServedClaim } from './contract.ts';

/**
 * How many starts of a claim's job ask for another round after the claim began to wait. The second start covers a worker
 * that died during the first. Later refills of the pool are reported, so that the pool is not polled.
 */
const RECHECK_STARTS_MAX = 2;

export interface Claim extends OperationRecord<ClaimRequest> {
  /** Conversation ids in the order in which they were granted: longest waiting first. */
  readonly granted: readonly string[];
  /** The claim's place among the campaign's waiting claims, and its deadline. `null` when the claim does not wait. */
  readonly waiting: {
    readonly sequence: number;
    readonly until: Date;
    /** No round reads the claim until the rules or the texter's load have changed. */
    readonly isBlocked: boolean;
  } | null;
}

/** Why the pool has no more conversations for claims. */
export type Shortage = 'none-left' | 'being-reassigned';

/** What a round read of the pool. */
export interface Pool {
  /** Conversations that no running operation has planned, longest waiting first. */
  readonly ids: readonly string[];
  /** Why there are no more: the pool is empty, or a running operation has planned all others. */
  readonly shortage: Shortage;
}

/** How many more conversations a claim may be granted, and the rule that keeps it from all that it asked for. */
export interface Room {
  readonly count: number;
  readonly limitedBy: 'batch-max' | 'open-max' | null;
}

/** The decision of one round on one claim: the conversations granted to it, within its room, or a refusal. */
export type Decision = { readonly claim: Claim; readonly granted: readonly string[] } & (
  | { readonly room: Room; readonly shortage: Shortage; readonly refusal: null }
  | { readonly room: null; readonly refusal: Refusal }
);

export function newClaim({ request, requestHash, sendId }: ClaimCommand, now: Date): Claim {
  return {
    operationId: request.operationId,
    campaignId: request.campaignId,
    request,
    requestHash,
    createdBySendId: sendId,
    state: 'accepted',
    sequence: 0,
    granted: [],
    waiting: null,
    receipt: null,
    error: null,
    cancellation: null,
    acceptedAt: now,
    startedAt: now,
    endedAt: null,
  };
}

/** A new claim waits when the pool was too short for it and its request allows waiting. */
export function startsToWait({ claim, room, granted }: Decision): boolean {
  return room !== null && granted.length < room.count && claim.request.waitMs !== undefined;
}

/**
 * A new claim after its first round: refused, done, or waiting with a sequence number of its own. Without a number, a claim
 * that would wait was replaced by a later one of the same texter.
 */
export function settleNew(decision: Decision, now: Date, sequence: number | null): Claim {
  const { claim, refusal, granted } = decision;
  const { request } = claim;
  const settled = {
    ...claim,
    granted,
    receipt: refusal ? null : claimReceipt(request, granted.length, decision.room, decision.shortage),
    error: refusal ? toStoredError(refusal) : null,
  };
  if (sequence === null) {
    const receipt = settled.receipt && startsToWait(decision) ? replacedReceipt(settled.receipt) : settled.receipt;
    return { ...settled, receipt, state: refusal ? 'failed' : 'done', endedAt: now };
  }
  const until = new Date(now.getTime() + (request.waitMs ?? 0));
  return { ...settled, waiting: { sequence, until, isBlocked: false } };
}

/** A waiting claim after another round. Returns `undefined` when the round changed nothing. */
export function settleWaiting(decision: Decision, now: Date): Claim | undefined {
  if (decision.refusal) return endRefused(decision.claim, endingReason(decision.refusal), now);
  const { claim, room, shortage, granted } = decision;
  const isComplete = granted.length === room.count;
  const all = [...claim.granted, ...granted];
  const roomForAll = { ...room, count: claim.granted.length + room.count };
  const receipt = claimReceipt(claim.request, all.length, roomForAll, shortage);
  // The receipt is final when the claim reaches its deadline, so it must have the present reason.
  const hasOtherReason = claim.receipt !== null && receipt.shortBecause !== claim.receipt.shortBecause;
  if (granted.length === 0 && !isComplete && !hasOtherReason) return undefined;
  const settled = { ...claim, granted: all, receipt };
  return isComplete ? { ...settled, state: 'done', endedAt: now, waiting: null } : settled;
}

/**
 * Returns the reason to end a waiting claim now: only a change of the rules could let it receive more. Limits that the
 * texter can work off are no such reason.
 */
function endingReason({ code }: Refusal): ClaimEndedReason | undefined {
  return CLAIM_ENDED_REASONS.find((reason) => reason === code);
}

/** A refused claim keeps waiting if its texter can meet the rule before the deadline. Until then it is blocked. */
function endRefused(claim: Claim, reason: ClaimEndedReason | undefined, now: Date): Claim {
  const { waiting } = claim;
  if (!reason || !claim.receipt) return { ...claim, waiting: waiting && { ...waiting, isBlocked: true } };
  const receipt = { ...claim.receipt, shortBecause: reason };
  return { ...claim, state: 'done', endedAt: now, waiting: null, receipt };
}

/** The receipt of a claim that was granted `granted` of the conversations for which it had room. */
export function claimReceipt(request: ClaimRequest, granted: number, room: Room, shortage: Shortage): Receipt {
  const groups = granted > 0 ? [{ count: granted }] : [];
  return {
    selected: granted,
    moved: granted,
    asked: request.count ?? null,
    shortBecause: granted < room.count ? shortage : room.limitedBy,
    left: null,
    skipped: [],
    bySource: groups.map((group) => ({ assigneeId: null, ...group })),
    byTarget: groups.map((group) => ({ assigneeId: request.texterId, ...group })),
    byStatus: groups.map((group) => ({ status: 'not-started' as const, ...group })),
  };
}

/** The claim as it is sent to the worker that has its job. */
export function toServedClaim(claim: Claim): ServedClaim {
  const { operationId, requestHash, createdBySendId, granted, receipt, error, waiting } = claim;
  const waitsUntilMs = waiting ? waiting.until.getTime() : null;
  return { operationId, requestHash, createdBySendId, granted: [...granted], receipt, error, waitsUntilMs };
}

/** A cancelled claim keeps its receipt except for these fields. */
export const CANCELLED_RECEIPT = { shortBecause: 'stopped', left: 0 } as const satisfies Partial<Receipt>;

function replacedReceipt(receipt: Receipt): Receipt {
  return { ...receipt, shortBecause: 'replaced' };
}

/**
 * The job of a waiting claim is woken when the claim ends, and reconcile repairs a lost wake-up. So it runs by itself only at the
 * deadline: ten thousand jobs that check their claims would keep the workers busy.
 */
export function snoozeDelayMs(waitsUntilMs: number, nowMs: number): number {
  return Math.max(0, waitsUntilMs - nowMs);
}

/** Conversations may come back to the pool just before a claim's job can be woken: then another round has to serve it. */
export function needsAnotherRound(jobStarts: number): boolean {
  return jobStarts <= RECHECK_STARTS_MAX;
}
