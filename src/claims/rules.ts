import type { SelfAssignSettings } from '../campaigns/index.ts';
import { campaignClosed, Refusal, unknownCampaign, unknownTexter } from '../domain/errors.ts';
import type { Claim, Decision, Pool, Room } from './claim.ts';

export interface CampaignRules {
  readonly closed: boolean;
  readonly selfAssign: SelfAssignSettings;
  /** How many claims of the campaign have ever waited. */
  readonly waitingCount: number;
}

/** A texter of the campaign, and the number of the texter's conversations of two statuses whose contacts have not opted out. */
export interface TexterLoad {
  readonly active: boolean;
  readonly notStarted: number;
  readonly needsReply: number;
}

/** The campaign and the texters of a round's claims, as the transaction of the round read them. */
export interface Snapshot {
  /** `undefined` when the campaign does not exist. */
  readonly campaign: Pick<CampaignRules, 'closed' | 'selfAssign'> | undefined;
  /** By texter id. A texter who is not on the campaign is missing. */
  readonly texters: ReadonlyMap<string, TexterLoad>;
}

/** Returns how many conversations a claim may get, or the refusal of a rule that allows none. */
export function roomOf({ request, granted }: Claim, { campaign, texters }: Snapshot): Room | Refusal {
  const { campaignId, texterId, count } = request;
  if (!campaign) return unknownCampaign(campaignId);
  if (campaign.closed) return campaignClosed(campaignId);
  const texter = texters.get(texterId);
  if (!texter) return unknownTexter(texterId);
  if (!texter.active) return texterPaused(texterId);
  const { enabled, batchMax, openMax, repliesMax } = campaign.selfAssign;
  if (!enabled) return selfAssignOff(campaignId);
  if (repliesMax !== null && texter.needsReply > repliesMax) return repliesFirst(request, texter, repliesMax);
  if (texter.notStarted >= openMax) return openMaxReached(request, texter, openMax);
  // The maximum may have been lowered below what a waiting claim was granted: then the claim is complete.
  const batchLeft = Math.max(0, batchMax - granted.length);
  const wanted = count === undefined ? batchLeft : count - granted.length;
  return smallest(wanted, batchLeft, openMax - texter.notStarted);
}

function smallest(wanted: number, batchLeft: number, openLeft: number): Room {
  if (wanted <= batchLeft && wanted <= openLeft) return { count: wanted, limitedBy: null };
  return batchLeft <= openLeft
    ? { count: batchLeft, limitedBy: 'batch-max' }
    : { count: openLeft, limitedBy: 'open-max' };
}

/** How many conversations one round may grant, and how many it has granted so far. */
export interface RoundLimit {
  readonly conversationsMax: number;
  readonly grantedSoFar: number;
}

/**
 * Returns the claims at the front of the queue that fit into a round, and how many conversations of the pool they need.
 * The first claim of a round always fits, so that a large claim is not delayed for ever.
 */
export function claimsThatFit(
  claims: readonly Claim[],
  snapshot: Snapshot,
  { conversationsMax, grantedSoFar }: RoundLimit,
): { readonly fitting: readonly Claim[]; readonly poolNeeded: number } {
  let poolNeeded = 0;
  for (const [index, claim] of claims.entries()) {
    const room = roomOf(claim, snapshot);
    if (room instanceof Refusal || room.count === 0) continue;
    // The claim's earlier conversations may be in the pool again. The deal passes over them, so they are read as well.
    const needed = poolNeeded + room.count + claim.granted.length;
    const isFirst = grantedSoFar === 0 && poolNeeded === 0;
    if (grantedSoFar + needed > conversationsMax && !isFirst) return { fitting: claims.slice(0, index), poolNeeded };
    poolNeeded = needed;
  }
  return { fitting: claims, poolNeeded };
}

/**
 * Deals the pool, longest waiting first, to the claims in their order, to each as many as it has room for. The conversations
 * of one claim count for the next claim of the same texter. A waiting claim never gets back a conversation that its texter
 * has lost.
 */
export function dealPool(claims: readonly Claim[], snapshot: Snapshot, { ids, shortage }: Pool): Decision[] {
  const texters = new Map(snapshot.texters);
  let left = ids;
  return claims.map((claim) => {
    const room = roomOf(claim, { ...snapshot, texters });
    if (room instanceof Refusal) return { claim, granted: [], room: null, refusal: room };
    const granted = withoutThose(left, claim.granted).slice(0, room.count);
    left = withoutThose(left, granted);
    addNotStarted(texters, claim.request.texterId, granted.length);
    return { claim, granted, room, shortage, refusal: null };
  });
}

/** Returns the loads with the conversations that were granted. */
export function loadsAfter(
  before: ReadonlyMap<string, TexterLoad>,
  decisions: readonly Decision[],
): ReadonlyMap<string, TexterLoad> {
  const texters = new Map(before);
  for (const { claim, granted } of decisions) addNotStarted(texters, claim.request.texterId, granted.length);
  return texters;
}

function withoutThose(ids: readonly string[], excluded: readonly string[]): readonly string[] {
  if (excluded.length === 0) return ids;
  // Most often the excluded ids are the first ones.
  if (excluded.every((id, index) => ids[index] === id)) return ids.slice(excluded.length);
  const set = new Set(excluded);
  return ids.filter((id) => !set.has(id));
}

function addNotStarted(texters: Map<string, TexterLoad>, texterId: string, count: number): void {
  const texter = texters.get(texterId);
  if (texter) texters.set(texterId, { ...texter, notStarted: texter.notStarted + count });
}

function texterPaused(texterId: string): Refusal {
  return new Refusal('texter-inactive', {
    message: `texter ${texterId} is paused`,
    expected: 'an active texter',
    received: `paused ${texterId}`,
  });
}

function selfAssignOff(campaignId: string): Refusal {
  return new Refusal('self-assign-off', {
    message: `campaign ${campaignId} does not allow self-assign`,
    expected: 'a campaign that allows self-assign',
    received: 'a campaign that does not allow self-assign',
  });
}

type Names = Claim['request'];

function repliesFirst({ campaignId, texterId }: Names, { needsReply }: TexterLoad, max: number): Refusal {
  return new Refusal('replies-first', {
    message: `texter ${texterId} has ${needsReply} conversations that need a reply, and campaign ${campaignId} allows ${max}`,
    expected: `at most ${max} conversations that need a reply`,
    received: String(needsReply),
  });
}

function openMaxReached({ campaignId, texterId }: Names, { notStarted }: TexterLoad, max: number): Refusal {
  return new Refusal('open-max-reached', {
    message: `texter ${texterId} has ${notStarted} not-started conversations, and campaign ${campaignId} allows ${max}`,
    expected: `fewer than ${max} not-started conversations`,
    received: String(notStarted),
  });
}
