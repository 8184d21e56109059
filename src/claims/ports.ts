import type { Cancellation } from '../domain/operation.ts';
import type { Claim, Decision, Pool } from './claim.ts';
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
  /** The ids of the waiting claims that claims of this round replaced. */
  readonly replaced: readonly string[];
  /** What this round has granted, also to claims that wait for more. */
  readonly granted: readonly Granted[];
  /** True when rules blocked waiting claims in this round. The rules or loads may have changed before it ended. */
  readonly hasBlocked: boolean;
  /** True when the round reached the last waiting claim, or the end of the pool. */
  readonly servedAllWaiting: boolean;
  /** True when a bulk operation that takes from the same pool was running. */
  readonly isBesideOperation: boolean;
}

/** The conversations that a round has granted to one claim. */
export interface Granted {
  readonly texterId: string;
  readonly conversationIds: readonly string[];
}

/** A round met the writes of other programs or workers until its time was over. It wrote nothing. Serve it again later. */
export class ClaimsDelayed extends Error {
  override readonly name = 'ClaimsDelayed';
}

/** A claim of a round has an operation id that exists already. The round wrote nothing. */
export class KnownOperationId extends Error {}

export interface ClaimStore {
  /** The most conversations that the transaction of a round may write. */
  readonly conversationsMax: number;
  find(operationId: string): Promise<Claim | undefined>;
  /** Finds operations of any kind, because an operation id may belong to another kind. */
  findAll(operationIds: readonly string[]): Promise<Claim[]>;
  /**
   * Runs the work of a round in a transaction. After a conflict with another writer the work runs again from the start,
   * until it throws {@link ClaimsDelayed}.
   */
  inRound(campaignId: string, work: (store: RoundStore) => Promise<Round>): Promise<Round>;
  /**
   * Ends a waiting claim with the conversations it has. Returns the claim as it is stored then. Its job has to be woken, unless
   * the job itself ends the claim.
   */
  endWaiting(
    operationId: string,
    ending?: { readonly cancellation?: Cancellation; readonly isByOwnJob?: boolean },
  ): Promise<Claim | undefined>;
  /**
   * Ends the waiting claims that no rule can let through any more: the campaign is closed or no longer allows self-assign,
   * or the texter is paused. Returns their operation ids.
   */
  endRefused(campaignId: string): Promise<readonly string[]>;
  hasWaiting(campaignId: string): Promise<boolean>;
  /** Returns true if the campaign's pool has a conversation that a claim could receive. */
  hasClaimable(campaignId: string): Promise<boolean>;
  /** Returns the loads of texters at one moment; nothing when the campaign allows no claims. */
  limitedLoads(campaignId: string, texterIds: readonly string[]): Promise<ReadonlyMap<string, TexterLoad>>;
  /** Lets rounds read the blocked claims again that the rules allow now. */
  unblock(campaignId: string): Promise<Unblocked>;
  /** Call it for claims that have ended when their jobs know it. */
  noteWoken(operationIds: readonly string[]): Promise<void>;
}

/** What a round reads first. */
export interface RoundStart {
  /** `undefined` when the campaign does not exist. */
  readonly campaign: CampaignRules | undefined;
  readonly texters: ReadonlyMap<string, TexterLoad>;
}

/** The number of blocked claims that were compared with the rules, and of those that are not blocked any more. */
export interface Unblocked {
  readonly checked: number;
  readonly unblocked: number;
}

/** A waiting claim after it was granted conversations, blocked or completed. */
export interface WaitingChange {
  readonly claim: Claim;
  /** What this round has granted to it. */
  readonly granted: readonly string[];
}

/** The reads and writes of one round on one campaign, all in one transaction. */
export interface RoundStore {
  /** The time of every write of the round. */
  readonly now: Date;
  /** True when a running bulk operation takes from the same pool. */
  readonly isBesideOperation: boolean;
  /**
   * Returns the campaign's rules and the loads of those texters that are on the campaign, and finds the bulk operation that
   * takes from its pool. Begins to read the first `poolLimit` conversations of the pool. Call it first.
   */
  start(texterIds: readonly string[], poolLimit: number): Promise<RoundStart>;
  /** Waiting claims after a sequence number, in order, without those that a rule blocks. */
  readWaiting(afterSequence: number, limit: number): Promise<Claim[]>;
  /**
   * Returns the loads of those texters that are on the campaign. Replies are counted only on request, because most campaigns
   * have no rule about them.
   */
  readTexters(texterIds: readonly string[], countReplies: boolean): Promise<ReadonlyMap<string, TexterLoad>>;
  /**
   * Until this transaction ends, no other round can commit for the same texters. It fails when one of them has changed since
   * the transaction began to read.
   */
  lockTexters(texterIds: readonly string[]): Promise<void>;
  /** Reads at most `limit` conversations of the pool that claims can receive. */
  readPool(limit: number): Promise<Pool>;
  /** Reserves `count` sequence numbers for waiting claims, and returns the number before the first. */
  reserveSequences(count: number): Promise<number>;
  /** Throws {@link KnownOperationId}. */
  insert(claims: readonly Claim[]): Promise<void>;
  /** Throws `WriteConflict` unless every conversation is still in the pool. */
  assign(decisions: readonly Decision[]): Promise<void>;
  updateWaiting(changes: readonly WaitingChange[]): Promise<void>;
  /** Ends the other waiting claims of these texters, because the claims `by` replace them. Returns their ids. */
  endReplaced(texterIds: readonly string[], by: readonly string[]): Promise<readonly string[]>;
}
