import type { Assignee, Status } from '../domain/conversation.ts';

/** A conversation as an import brings it. */
export interface NewConversation {
  readonly externalId: string | null;
  readonly name: string;
  readonly phone: string;
  readonly assigneeId: Assignee;
  readonly status: Status;
  readonly waitingSince: Date;
  readonly optedOut: boolean;
  readonly lastInboundAt: Date | null;
  readonly lastOutboundAt: Date | null;
  readonly createdAt: Date;
}

export interface ContactStore {
  /**
   * Adds those whose phone number the campaign does not have yet, and leaves what is there as it is: safe to repeat.
   * Returns how many were added.
   */
  insertNew(campaignId: string, conversations: readonly NewConversation[], at: Date): Promise<number>;
}
