import type { Cancellation } from '../domain/operation.ts';
import type { Claim, Decision, Pool } from './claim.ts';
import type { ClaimCommand } from './contract.ts';
import type { CampaignRules, TexterLoad } from './rules.ts';

/**
 * The result of one round. A round ends early when it has granted as many conversations as one transaction may: the claims
 * that were not served need another round.
 */
export interface Round {
  /** The served claims. */
  readonly answered: readonly Claim[];
  /** The waiting claims that this round completed. */
  readonly completed: readonly Claim[];
  /** True when the round reached the last waiting claim, or the end of the pool. */
  readonly servedAllWaiting: boolean;
  /** Whether a bulk operation that takes from the same pool was running; `undefined` when the round does not know. */
  readonly isBesideOperation?: boolean | undefined;
}

/** A round met the writes of other programs or workers until its time was over. It wrote nothing. Serve it again later. */
export class ClaimsDelayed extends Error {
  override readonly name = 'ClaimsDelayed';
}

export interface ClaimStore {
  find(operationId: string): Promise<Claim | undefined>;
  /**
   * Serves claims of one campaign together, in one transaction: the waiting claims first, then these in their order. An
   * operation id that exists already is answered with the stored record, even if that is another request.
   */
  serve(campaignId: string, claims: readonly ClaimCommand[]): Promise<Round>;
  /** Ends a waiting claim with the conversations it has. Returns the claim as it is stored then. */
  endWaiting(operationId: string, cancellation?: Cancellation): Promise<Claim | undefined>;
  firstWaiting(campaignId: string): Promise<Claim | undefined>;
}

/** The reads and writes of one round on one campaign, all in one transaction. */
export interface RoundStore {
  /** The time of every write of the round. */
  readonly now: Date;
  findCampaign(): Promise<CampaignRules | undefined>;
  /** Waiting claims after a sequence number, in order. */
  readWaiting(afterSequence: number, limit: number): Promise<Claim[]>;
  /**
   * Returns the loads of those texters that are on the campaign. Until this transaction ends, no other round can commit for
   * the same texters. Replies are counted only on request, because most campaigns have no rule about them.
   */
  lockTexters(texterIds: readonly string[], countReplies: boolean): Promise<ReadonlyMap<string, TexterLoad>>;
  /** Reads at most `limit` conversations of the pool that claims can receive. */
  readPool(limit: number): Promise<Pool>;
  /** Reserves `count` sequence numbers for waiting claims, and returns the number before the first. */
  reserveSequences(count: number): Promise<number>;
  /** Throws a duplicate-key error when an operation id exists already. */
  insert(claims: readonly Claim[]): Promise<void>;
  /** Throws unless every conversation is still in the pool. */
  assign(decisions: readonly Decision[]): Promise<void>;
  /** Stores a waiting claim after it was granted more conversations, or completed. */
  updateWaiting(claim: Claim, granted: readonly string[]): Promise<void>;
}
