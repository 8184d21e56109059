import type { PersonText } from './person-text.ts';
import type { Assignee, Status } from '../domain/conversation.ts';

const MOMENT = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2})(:\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;
const SECONDS = /^:(\d{2})(?:\.(\d+))?$/;

/**
 * Reads an ISO 8601 date, or date and time, to the millisecond. A time without an offset is UTC. Returns `undefined` for
 * any other text and for days that do not exist.
 */
export function isoMoment(text: string): Date | undefined {
  const match = MOMENT.exec(text);
  if (!match) return undefined;
  const [, day = '', minutes = '00:00', seconds = ':00', offset = 'Z'] = match;
  const [, second = '00', fraction = ''] = SECONDS.exec(seconds) ?? [];
  const zone = offset === 'Z' || offset.includes(':') ? offset : `${offset.slice(0, 3)}:${offset.slice(3)}`;
  const moment = new Date(`${day}T${minutes}:${second}.${fraction.padEnd(3, '0').slice(0, 3)}${zone}`);
  return isDay(day) && !Number.isNaN(moment.getTime()) ? moment : undefined;
}

/** `Date` turns 30 February into 1 March, so a day exists only if it comes back unchanged. */
function isDay(day: string): boolean {
  const midnight = new Date(`${day}T00:00:00.000Z`);
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day);
}

export interface Moments {
  readonly createdAt: Date;
  readonly lastInboundAt: Date | null;
  readonly lastOutboundAt: Date | null;
}

/** Derives since when a conversation has waited in its status from the moments of its messages. */
export function waitingSinceOf(status: Status, { createdAt, lastInboundAt, lastOutboundAt }: Moments): Date {
  switch (status) {
    case 'not-started':
      return createdAt;
    case 'needs-reply':
      return lastInboundAt ?? createdAt;
    case 'in-progress':
    case 'awaiting-contact':
      return lastOutboundAt ?? createdAt;
    case 'closed':
      return later(lastInboundAt, lastOutboundAt) ?? createdAt;
  }
}

function later(a: Date | null, b: Date | null): Date | null {
  if (!a || !b) return a ?? b;
  return a > b ? a : b;
}

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
