import type { Cancellation } from '../domain/operation.ts';
import type { Claim, ClaimRequest } from './claim.ts';

/**
 * What a round of claims came to: those asked about that it served, and the waiting ones it completed. It ends when it has
 * given as much as one transaction may; whoever was not served needs another.
 */
export interface Round {
  readonly answered: readonly Claim[];
  readonly completed: readonly Claim[];
  /** Whether it got as far as the last of the waiting claims, or of the pool. */
  readonly sawAllWaiting: boolean;
}

/** A claim as it is sent: what is asked, and by which sending. */
export interface ClaimCommand {
  readonly request: ClaimRequest;
  readonly requestHash: string;
  readonly sendId: string;
}

export interface ClaimStore {
  find(operationId: string): Promise<Claim | undefined>;
  /**
   * Serves claims of one campaign together, in one transaction: first those that have been waiting, then these, in
   * their order, as far as one transaction may go. A claim already served is answered as it was; an id that stands for
   * something else is answered with what it stands for.
   */
  serve(campaignId: string, claims: readonly ClaimCommand[]): Promise<Round>;
  /** Ends a waiting claim with what it has, by itself or cancelled. Returns it as it then stands. */
  endWaiting(operationId: string, cancellation?: Cancellation): Promise<Claim | undefined>;
  /** The first of a campaign's waiting claims. */
  firstWaiting(campaignId: string): Promise<Claim | undefined>;
}
