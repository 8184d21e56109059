import type { mongo } from 'mongoose';
import type { Database } from '../mongo/database.ts';
import { BY_ID } from '../mongo/indexes.ts';
import { objectIds, type ConversationDoc } from '../mongo/documents.ts';

type Filter = mongo.Filter<ConversationDoc>;

/*
 * A move adds to the history and to the version. The server refuses that where another program has stored `null` or a value
 * of another type, and one such conversation would stop a whole batch or round. A missing field is no problem.
 */

const NO_HISTORY = { history: { $type: ['null', 'number', 'string', 'bool', 'date'] } } as unknown as Filter;
const NO_VERSION = {
  assignmentVersion: { $type: ['null', 'string', 'bool', 'date', 'object', 'array'] },
} as unknown as Filter;

/** Every write of a move has this in its filter. */
export const WRITABLE = {
  history: { $not: NO_HISTORY.history },
  assignmentVersion: { $not: NO_VERSION.assignmentVersion },
} as Filter;

/** Gives conversations an empty history or the version 0 where the stored value is of another type. */
export async function makeWritable(
  { conversations }: Database,
  campaignId: string,
  conversationIds: readonly string[],
  session?: mongo.ClientSession,
): Promise<void> {
  const options = { hint: BY_ID, ...(session && { session }) };
  const these = { _id: { $in: objectIds(conversationIds) }, campaignId };
  await conversations.updateMany({ ...these, ...NO_HISTORY }, { $set: { history: [] } }, options);
  await conversations.updateMany({ ...these, ...NO_VERSION }, { $set: { assignmentVersion: 0 } }, options);
}
