import type { PersonText } from './person-text.ts';
import type { Assignee, Status } from '../domain/conversation.ts';

/** The longest id of a contact in another system. */
export const EXTERNAL_ID_CHARS_MAX = 200;

/** A conversation as an import creates it, with the contact that it belongs to. */
export interface NewConversation {
  /** The id of the contact in another system; `null` when the file gives none. */
  readonly externalId: string | null;
  readonly name: string;
  /** Identifies the contact within the campaign. In the form of E.164. */
  readonly phone: string;
  readonly assigneeId: Assignee;
  readonly status: Status;
  readonly waitingSince: Date;
  readonly optedOut: boolean;
  readonly lastInboundAt: Date | null;
  readonly lastOutboundAt: Date | null;
  readonly createdAt: Date;
  /** Since when the assignee has the conversation. Default: since the import. */
  readonly assignedAt?: Date | null;
}

export interface ImportBatch {
  readonly conversations: readonly NewConversation[];
  /** Phone numbers of people who have opted out, without a conversation to insert. */
  readonly optOuts: readonly string[];
  readonly at: Date;
  /** Gives conversations to paused texters too, and those of opted-out contacts to their assignees. */
  readonly keepsAssignees: boolean;
  /** Accepts several phone numbers with one external id. */
  readonly sharesIds: boolean;
}

/** A conversation that was not inserted, although its row can be read. */
export interface Refused {
  readonly conversation: NewConversation;
  readonly because: 'assignee-inactive' | 'external-id-taken' | 'erased';
}

export interface Imported {
  readonly added: number;
  /** The number of conversations that this call opted out: added ones and existing ones. */
  readonly optedOut: number;
  /** The number of added conversations that got no assignee, because the contact has opted out. */
  readonly leftInPool: number;
  readonly refused: readonly Refused[];
}

/** A conversation of a person who is to be erased. */
export interface KnownContact {
  readonly conversationId: string;
  readonly name: string;
  readonly phone: string;
}

export interface ErasedPerson {
  readonly campaignId: string;
  /** The phone number in every form in which a job may have it. */
  readonly numbers: readonly string[];
  readonly text: PersonText;
  /** Names the person in jobs from now on. */
  readonly conversationId: string;
}

/** The jobs of all queues. */
export interface PersonInQueues {
  erase(person: ErasedPerson): Promise<void>;
}

/** Conversations with one of these phone numbers, and those with one of these ids. */
export interface Chosen {
  readonly phones?: readonly string[];
  readonly conversationIds?: readonly string[];
}

export interface ContactStore {
  /**
   * Inserts the conversations whose phone number is new to the campaign. If one conversation of a number is opted out, the
   * stored one is too. Existing conversations do not change in another way, so the call is safe to repeat.
   */
  importBatch(campaignId: string, batch: ImportBatch): Promise<Imported>;
  findById(campaignId: string, conversationId: string): Promise<readonly KnownContact[]>;
  /** Returns the conversations with one of these numbers, and those whose erased number had this fingerprint. */
  findByPhone(campaignId: string, phones: readonly string[], fingerprint: string): Promise<readonly KnownContact[]>;
  /** Opts conversations out and closes them. */
  withdraw(campaignId: string, conversationIds: readonly string[]): Promise<void>;
  /** Removes name, phone number and external id of conversations. Throws when a number has changed meanwhile. */
  erase(campaignId: string, contacts: readonly KnownContact[]): Promise<void>;
  /** Removes a person from reasons and errors of the campaign's operations. */
  eraseFromOperations(campaignId: string, person: PersonText): Promise<void>;
  /** Changes the opt-out of all chosen conversations. Returns them, with how many changed. */
  setOptedOut(
    campaignId: string,
    chosen: Chosen,
    optedOut: boolean,
  ): Promise<{ readonly conversationIds: readonly string[]; readonly changed: number }>;
}
