import { refuseTexter, roomFor, type ClaimRequest, type Room, type Workload } from './claim.ts';
import { type SelfAssignSettings } from '../campaigns/index.ts';
import { Refusal, shown } from '../domain/errors.ts';

/** A claim in a round: new, or waiting since an earlier one. */
export interface RoundClaim {
  readonly request: ClaimRequest;
  /** What earlier rounds have given it. */
  readonly grantedBefore: number;
}

/** What the rules need to know, read in the transaction that is about to give. */
export interface RoundFacts {
  readonly campaign: { readonly closed: boolean; readonly selfAssign: SelfAssignSettings } | undefined;
  /** Texters of the campaign by id: active or not. */
  readonly texters: ReadonlyMap<string, boolean>;
  readonly workloads: ReadonlyMap<string, Workload>;
}

/** What a round gives a claim, or why nothing. */
export type Dealt<Of extends RoundClaim> = { readonly claim: Of; readonly granted: readonly string[] } & (
  { readonly room: Room; readonly refusal: null } | { readonly room: null; readonly refusal: Refusal }
);

const NO_WORK: Workload = { notStarted: 0, needsReply: 0 };

/** How far into the pool the claims at the front of a queue may reach together. */
export interface Reach {
  readonly atMost: number;
  /** Whether the first may reach further, by itself. */
  readonly mayExceed: boolean;
}

/**
 * The longest run of claims from the front that stays within reach, and how far into the pool it reaches: what each could
 * be given if it were its texter's only one, and what a waiting one had before: that may have come back, lie ahead of what
 * it can be given, and is passed over.
 */
export function leadingClaims<Of extends RoundClaim>(
  claims: readonly Of[],
  facts: RoundFacts,
  { atMost, mayExceed }: Reach,
): { readonly leading: readonly Of[]; readonly reached: number } {
  let reached = 0;
  for (const [index, claim] of claims.entries()) {
    const wanted = roomOrRefusal(claim, facts, facts.workloads).room?.count ?? 0;
    if (wanted === 0) continue;
    const next = reached + wanted + claim.grantedBefore;
    if (next > atMost && !(mayExceed && reached === 0)) return { leading: claims.slice(0, index), reached };
    reached = next;
  }
  return { leading: claims, reached };
}

/**
 * Deals the pool, longest waiting first, to the claims in their order, each as much as it has room for. What a texter is
 * given by one claim counts for their next. What a claim had before, and lost while it waited, it is not given again.
 */
export function dealPool<Of extends RoundClaim>(
  claims: readonly Of[],
  facts: RoundFacts,
  pool: readonly string[],
  hadBefore: (operationId: string, conversationId: string) => boolean = () => false,
): Dealt<Of>[] {
  const workloads = new Map(facts.workloads);
  let left = pool;
  return claims.map((claim) => {
    const seat = roomOrRefusal(claim, facts, workloads);
    const { texterId, operationId } = claim.request;
    const fit = claim.grantedBefore === 0 ? left : left.filter((id) => !hadBefore(operationId, id));
    const granted = fit.slice(0, seat.room?.count ?? 0);
    left = fit === left ? left.slice(granted.length) : left.filter((id) => !granted.includes(id));
    const workload = workloads.get(texterId) ?? NO_WORK;
    workloads.set(texterId, { ...workload, notStarted: workload.notStarted + granted.length });
    return { claim, granted, ...seat };
  });
}

type Seat = { readonly room: Room; readonly refusal: null } | { readonly room: null; readonly refusal: Refusal };

function roomOrRefusal(claim: RoundClaim, facts: RoundFacts, workloads: ReadonlyMap<string, Workload>): Seat {
  try {
    const workload = workloads.get(claim.request.texterId) ?? NO_WORK;
    return { room: roomOf(claim, facts, workload), refusal: null };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { room: null, refusal: error };
  }
}

function roomOf({ request, grantedBefore }: RoundClaim, { campaign, texters }: RoundFacts, workload: Workload): Room {
  const { campaignId, texterId, count } = request;
  if (!campaign) {
    throw new Refusal('unknown-campaign', { expected: 'a campaign that exists', received: shown(campaignId) });
  }
  if (campaign.closed) {
    throw new Refusal('campaign-closed', { expected: 'an open campaign', received: `${shown(campaignId)}, closed` });
  }
  refuseTexter(texterId, texters.get(texterId));
  // The rules may have been tightened while it waited: then it has all that it may have.
  const batchMax = Math.max(0, campaign.selfAssign.batchMax - grantedBefore);
  const wanted = count === undefined ? undefined : count - grantedBefore;
  return roomFor(wanted, { ...campaign.selfAssign, batchMax }, workload);
}
