import {
  refuseTexter,
  roomFor,
  type ClaimRequest,
  type Room,
  type SelfAssignSettings,
  type Workload,
} from './claim.ts';
import { Refusal, shown } from './errors.ts';

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

/** What a claim may be given in this round, or why nothing. */
export type Seated<Of extends RoundClaim> =
  | { readonly claim: Of; readonly room: Room; readonly refusal: null }
  | { readonly claim: Of; readonly room: null; readonly refusal: Refusal };

const NO_WORK: Workload = { notStarted: 0, needsReply: 0 };

/** Gives each claim its room, first come first served: several of one texter share that texter's room. */
export function seatClaims<Of extends RoundClaim>(claims: readonly Of[], facts: RoundFacts): Seated<Of>[] {
  const workloads = new Map(facts.workloads);
  return claims.map((claim) => {
    const { texterId } = claim.request;
    try {
      const workload = workloads.get(texterId) ?? NO_WORK;
      const room = roomOf(claim, facts, workload);
      workloads.set(texterId, { ...workload, notStarted: workload.notStarted + room.count });
      return { claim, room, refusal: null };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { claim, room: null, refusal: error };
    }
  });
}

function roomOf({ request, grantedBefore }: RoundClaim, { campaign, texters }: RoundFacts, workload: Workload): Room {
  const { campaignId, texterId, count } = request;
  if (!campaign) {
    throw new Refusal('unknown-campaign', { expected: 'a campaign that exists', got: shown(campaignId) });
  }
  if (campaign.closed) {
    throw new Refusal('campaign-closed', { expected: 'an open campaign', got: `${shown(campaignId)}, closed` });
  }
  refuseTexter(texterId, texters.get(texterId));
  const { batchMax } = campaign.selfAssign;
  const settings = { ...campaign.selfAssign, batchMax: batchMax - grantedBefore };
  return roomFor(count === undefined ? undefined : count - grantedBefore, settings, workload);
}

/** Deals the pool, longest waiting first, to the claims in their order. One list of ids a claim. */
export function dealPool(seated: readonly Seated<RoundClaim>[], pool: readonly string[]): string[][] {
  let from = 0;
  return seated.map(({ room }) => {
    const granted = pool.slice(from, from + (room?.count ?? 0));
    from += granted.length;
    return granted;
  });
}

/** How many conversations a round can give at the most. */
export function roomInAll(seated: readonly Seated<RoundClaim>[]): number {
  return seated.reduce((sum, { room }) => sum + (room?.count ?? 0), 0);
}
