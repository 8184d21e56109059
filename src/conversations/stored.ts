import type { Types } from 'mongoose';
import { isStatus, type Candidate } from '../domain/conversation.ts';
import type { ConversationDoc } from '../mongo/documents.ts';

/**
 * A conversation as it may be stored. Other programs write conversations too, and can leave out any field but the campaign.
 * The table in docs/other-programs.md says what a missing field means; this file and `campaigns/stored.ts` decide by it.
 */
export type StoredConversation = Pick<ConversationDoc, '_id'> & {
  readonly [Field in Exclude<keyof ConversationDoc, '_id'>]?: ConversationDoc[Field] | null;
};

/** Returns false for a conversation that nothing may move: it is not known what to do with it, or whether the contact agrees. */
export function isComplete({ status, optedOut }: { readonly status?: unknown; readonly optedOut?: unknown }): boolean {
  return isStatus(status) && typeof optedOut === 'boolean';
}

/** Returns the fields of a candidate whose assignee and status are known. */
export function toCandidate(
  doc: Pick<StoredConversation, '_id' | 'optedOut'>,
  waitingSince: Date,
  { assigneeId, status }: Pick<Candidate, 'assigneeId' | 'status'>,
): Candidate {
  return {
    id: doc._id.toHexString(),
    assigneeId,
    status,
    waitingSince: waitingSince.getTime(),
    optedOut: doc.optedOut === true,
    ...(!isComplete({ status, optedOut: doc.optedOut }) && { isIncomplete: true }),
  };
}

/** A conversation without this time waits since it was created. */
export function waitsSince(doc: Pick<StoredConversation, '_id' | 'waitingSince' | 'createdAt'>): Date {
  return dateOrNull(doc.waitingSince) ?? createdAt(doc);
}

export function createdAt(doc: Pick<StoredConversation, '_id' | 'createdAt'>): Date {
  return dateOrNull(doc.createdAt) ?? createdById(doc._id);
}

/** The time at which an id was made, in whole seconds. */
export function createdById(id: Types.ObjectId): Date {
  return id.getTimestamp();
}

export function isTimed({ waitingSince }: Pick<StoredConversation, 'waitingSince'>): boolean {
  return waitingSince instanceof Date;
}

export function dateOrNull(value: unknown): Date | null {
  return value instanceof Date ? value : null;
}
