import type { mongo } from 'mongoose';
import { ANY_TIME, moment, moments, NO_TIME } from '../conversations/index.ts';
import { CLAIMED_STATUS, STATUSES } from '../domain/conversation.ts';
import type { BatchDoc, ConversationDoc } from '../mongo/documents.ts';

/** A place in the pool, in the order in which claims receive conversations. */
export type Bound = Pick<ConversationDoc, 'waitingSince' | '_id'> | 'start' | 'end';
type StoredPosition = BatchDoc['after']['position'];

/** The place in the pool that a position in the order of selection stands for. */
export function boundOf(position: NonNullable<StoredPosition>): Bound {
  if (position.status === CLAIMED_STATUS) return { waitingSince: position.waitingSince, _id: position.id };
  return STATUSES.indexOf(position.status) < STATUSES.indexOf(CLAIMED_STATUS) ? 'start' : 'end';
}

/** Returns the later of two bounds, and `b` when they are equal. */
export function later(a: Bound, b: Bound): Bound {
  if (a === 'start' || b === 'end') return b;
  if (a === 'end' || b === 'start') return a;
  const difference = a.waitingSince.getTime() - b.waitingSince.getTime();
  if (difference !== 0) return difference > 0 ? a : b;
  return a._id.toHexString() > b._id.toHexString() ? a : b;
}

/*
 * Moments are whole milliseconds. A bound one millisecond away starts or ends a range at the conversations of another
 * moment; `$gt` and `$lt` would scan those of the same moment.
 *
 * Conversations without a time are before every bound.
 */

export function behindOf(bound: Bound): mongo.Filter<ConversationDoc>[] {
  if (bound === 'start') return [ANY_TIME];
  if (bound === 'end') return [];
  const { waitingSince, _id } = bound;
  return [{ ...moment(waitingSince), _id: { $gt: _id } }, moments({ from: new Date(waitingSince.getTime() + 1) })];
}

export function upTo(bound: Bound): mongo.Filter<ConversationDoc>[] {
  if (bound === 'start') return [NO_TIME];
  if (bound === 'end') return [NO_TIME, ANY_TIME];
  const { waitingSince, _id } = bound;
  return [
    NO_TIME,
    moments({ to: new Date(waitingSince.getTime() - 1) }),
    { ...moment(waitingSince), _id: { $lte: _id } },
  ];
}
