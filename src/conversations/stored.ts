import type { Types } from 'mongoose';
import { isStatus, type Assignee, type Candidate } from '../domain/conversation.ts';
import type { ConversationDoc } from '../mongo/documents.ts';
import { storedDate } from '../mongo/stored-values.ts';

/** Not the first and the last time of JavaScript, so that the next millisecond is a time too. */
export const MOMENT_MIN = new Date(1 - 8.64e15);
export const MOMENT_MAX = new Date(8.64e15 - 1);

/**
 * A conversation as it may be stored. Other programs write conversations too: they can leave out any field but the campaign,
 * and store values of other types. The table in docs/other-programs.md says what such a field means; this file and
 * `campaigns/stored.ts` decide by it.
 */
export type StoredConversation = Pick<ConversationDoc, '_id'> & {
  readonly [Field in Exclude<keyof ConversationDoc, '_id'>]?: unknown;
};

/** Returns false when the status, the assignee or the contact's consent is not known. Such a conversation never moves. */
export function isComplete({
  status,
  optedOut,
  assigneeId,
}: Pick<StoredConversation, 'status' | 'optedOut' | 'assigneeId'>): boolean {
  return isStatus(status) && typeof optedOut === 'boolean' && isAssignee(assigneeId ?? null);
}

/** No texter has an id of another type, or an empty one. */
export function isAssignee(value: unknown): value is Assignee {
  return value === null || (typeof value === 'string' && value !== '');
}

/** Returns the pool for an assignee that is not known. */
export function assigneeOf({ assigneeId = null }: Pick<StoredConversation, 'assigneeId'>): Assignee {
  return isAssignee(assigneeId) ? assigneeId : null;
}

/** Returns the fields of a candidate whose assignee and status are known. */
export function toCandidate(
  doc: Pick<StoredConversation, '_id' | 'optedOut' | 'assigneeId'>,
  waitingSince: Date,
  { assigneeId, status }: Pick<Candidate, 'assigneeId' | 'status'>,
): Candidate {
  return {
    id: doc._id.toHexString(),
    assigneeId,
    status,
    waitingSince: waitingSince.getTime(),
    optedOut: doc.optedOut === true,
    ...(!isComplete({ ...doc, status }) && { isIncomplete: true }),
  };
}

/** A conversation without this time waits since it was created. */
export function waitsSince(doc: Pick<StoredConversation, '_id' | 'waitingSince' | 'createdAt'>): Date {
  return storedDate(doc.waitingSince) ?? createdAt(doc);
}

export function createdAt(doc: Pick<StoredConversation, '_id' | 'createdAt'>): Date {
  return storedDate(doc.createdAt) ?? createdById(doc._id);
}

/** The time at which an id was made, in whole seconds. */
export function createdById(id: Types.ObjectId): Date {
  return id.getTimestamp();
}

export function isTimed({ waitingSince }: Pick<StoredConversation, 'waitingSince'>): boolean {
  const time = storedDate(waitingSince);
  return time !== null && time >= MOMENT_MIN && time <= MOMENT_MAX;
}
