import type { Assignee, Status, HistoryMove } from '../domain/conversation.ts';

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
}
