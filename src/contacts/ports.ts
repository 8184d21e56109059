import type { Assignee, Status } from '../domain/conversation.ts';

/** A conversation as an import creates it, with the contact that it belongs to. */
export interface NewConversation {
  /** The id of the contact in another system; `null` when the file gives none. */
  readonly externalId: string | null;
  readonly name: string;
  /** Identifies the contact within the campaign. */
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
   * Inserts the conversations whose phone number is new to the campaign and returns how many these are. Existing
   * conversations stay unchanged, so the call is safe to repeat.
   */
  insertNew(campaignId: string, conversations: readonly NewConversation[], at: Date): Promise<number>;
}
