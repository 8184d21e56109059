import type { Claim, ClaimRequest } from '../claims/claim.ts';
import type { Assignee, Status, HistoryMove } from '../domain/conversation.ts';
import type { OperationRecord } from '../domain/operation.ts';
import type { OperationRequest } from '../operations/request.ts';
import type { StoredBatch } from '../operations/ports.ts';

/** A conversation as people see it. */
export interface ConversationRecord {
  readonly conversationId: string;
  readonly externalId: string | null;
  readonly name: string;
  readonly phone: string;
  readonly status: Status;
  readonly assigneeId: Assignee;
  readonly optedOut: boolean;
  readonly waitingSince: Date;
  readonly lastInboundAt: Date | null;
  readonly lastOutboundAt: Date | null;
  readonly assignedAt: Date | null;
  readonly createdAt: Date;
}

export interface ConversationWithHistory extends ConversationRecord {
  readonly assignmentVersion: number;
  readonly lastOperationId: string | null;
  readonly history: readonly HistoryMove[];
}

/** Anything that was asked for: an operation, or a texter's claim. */
export type AnyOperation = OperationRecord<OperationRequest | ClaimRequest> & Partial<Pick<Claim, 'granted'>>;

/** What is only looked at: nothing here is asked for by an operation, and nothing writes. */
export interface ViewStore {
  /** Those of the ids that exist, in any order. */
  describe(campaignId: string, conversationIds: readonly string[]): Promise<ConversationRecord[]>;
  /**
   * Ids of conversations that a word may mean: an id, else an external id, else a contact's exact name;
   * at most `limit`.
   */
  conversationsMeant(campaignId: string, word: string, limit: number): Promise<string[]>;
  findWithHistory(campaignId: string, conversationId: string): Promise<ConversationWithHistory | undefined>;
  /** Every conversation of a campaign, each once, however they move meanwhile. */
  everyConversation(campaignId: string): AsyncIterable<ConversationRecord>;
  /** Newest first. */
  listOperations(campaignId: string, limit: number): Promise<AnyOperation[]>;
  findOperation(operationId: string): Promise<AnyOperation | undefined>;
  /** An operation's batches in order. */
  batchesOf(operationId: string): AsyncIterable<StoredBatch>;
}
