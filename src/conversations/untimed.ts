import { mongo, Types } from 'mongoose';
import { createdAt, createdById, MOMENT_MAX, MOMENT_MIN, type StoredConversation } from './stored.ts';
import type { Position } from '../domain/conversation.ts';
import type { ConversationDoc } from '../mongo/documents.ts';

/*
 * A conversation that does not say since when it waits has the place of its creation time in the order of selection. The
 * index has it before all others of its range. So such conversations are read apart, and put between the others here.
 */

/** Up to this number, the conversations of one range are ordered by their creation times. More are ordered by their ids. */
export const UNTIMED_SORTED_MAX = 1_000;

/** The second of an id has four bytes. */
const SECOND_MAX = 2 ** 32 - 2;

export type Direction = 'in-order' | 'from-end';
type Filter = mongo.Filter<ConversationDoc>;
type UntimedDoc = Pick<StoredConversation, '_id' | 'optedOut' | 'createdAt'>;

/** A conversation and the moment since when it waits. */
export interface Place<Doc = Pick<StoredConversation, '_id'>> {
  readonly doc: Doc;
  readonly waitingSince: Date;
}

/** A list matches if one of its items does. Its place in the index is not known, so it is never selected. */
const NO_LIST = { $not: { $type: 'array' } } as const;

/** Matches times only. */
export interface TimeFilter {
  readonly waitingSince: ({ readonly $eq: Date } | { readonly $gte: Date; readonly $lte: Date }) & typeof NO_LIST;
}

/** Matches the times from `from` to `to`, both included. */
export function moments({
  from = MOMENT_MIN,
  to = MOMENT_MAX,
}: {
  readonly from?: Date;
  readonly to?: Date;
}): TimeFilter {
  return { waitingSince: { $gte: from, $lte: to, ...NO_LIST } };
}

export function moment(at: Date): TimeFilter {
  return { waitingSince: { $eq: at, ...NO_LIST } };
}

/** Keeps only the bound at which the reading begins. It also matches lists and times that JavaScript does not know. */
export function boundsOf({ waitingSince: times }: TimeFilter, direction: Direction) {
  if ('$eq' in times) return { waitingSince: times.$eq };
  return { waitingSince: direction === 'in-order' ? { $gte: times.$gte } : { $lte: times.$lte } };
}

export const ANY_TIME = moments({});
/** Matches a missing time too. */
export const NO_TIME = { waitingSince: null } as unknown as Filter;
/**
 * Values of other types in the place of a time, one range for each type: comparisons match only values of the same type. The
 * index has all of them before the times.
 */
export const OTHER_TYPES = [
  { $in: [NaN] },
  { $gte: -Infinity },
  { $gte: '' },
  { $gte: {} },
  { $gte: new mongo.Binary() },
  { $gte: new Types.ObjectId('0'.repeat(24)) },
  { $in: [false, true] },
].map((waitingSince) => ({ waitingSince })) as unknown as readonly Filter[];
/** Values that the index has after the times, and dates outside of the years that JavaScript knows. Never selected. */
export const UNSELECTABLE = [{ $gte: new mongo.Timestamp(0n) }, { $gt: MOMENT_MAX }, { $lt: MOMENT_MIN }].map(
  (waitingSince) => ({ waitingSince }),
) as unknown as readonly Filter[];

interface Reading {
  readonly position: Position | null;
  readonly limit: number;
  readonly direction: Direction;
}

/** Reads the conversations beyond a position that match one of `parts`. */
export async function readUntimed<Doc extends UntimedDoc>(
  read: (part: Filter, max: number) => Promise<Doc[]>,
  parts: readonly Filter[],
  { position, limit, direction }: Reading,
): Promise<Place<Doc>[]> {
  const first = (await Promise.all(parts.map((part) => read(part, UNTIMED_SORTED_MAX + 1)))).flat();
  if (first.length <= UNTIMED_SORTED_MAX) {
    const places = first.map((doc) => ({ doc, waitingSince: createdAt(doc) }));
    return places.filter((place) => !position || isBeyond(place, position, direction));
  }
  const beyond = position ? { _id: idsBeyond(position, direction) } : {};
  const pages = await Promise.all(parts.map((part) => read({ ...part, ...beyond }, limit)));
  return pages.flat().map((doc) => ({ doc, waitingSince: createdById(doc._id) }));
}

/** Sorts places into the order of a reading. */
export function mergePlaces<Each extends Place>(places: readonly Each[], direction: Direction): Each[] {
  const sign = direction === 'in-order' ? 1 : -1;
  return places.toSorted((a, b) => sign * compare(a, b));
}

function compare(a: Place, b: Place): number {
  const difference = a.waitingSince.getTime() - b.waitingSince.getTime();
  if (difference !== 0) return difference;
  return a.doc._id.toHexString() < b.doc._id.toHexString() ? -1 : 1;
}

function isBeyond(place: Place, { waitingSince, id }: Position, direction: Direction): boolean {
  if (place.doc._id.toHexString() === id) return false;
  const position = { doc: { _id: new Types.ObjectId(id) }, waitingSince: new Date(waitingSince) };
  return compare(place, position) > 0 === (direction === 'in-order');
}

/** Matches the ids that come after a position, or before it, by their second and then by their value. */
function idsBeyond({ waitingSince, id }: Position, direction: Direction) {
  const second = Math.min(Math.max(0, Math.floor(waitingSince / 1_000)), SECOND_MAX);
  const own = new Types.ObjectId(id);
  const ownSecond = createdById(own).getTime() / 1_000;
  const isWhole = waitingSince === second * 1_000;
  if (isWhole && ownSecond === second) return direction === 'in-order' ? { $gt: own } : { $lt: own };
  // Either all ids of this second come after the position, or none of them.
  const isBefore = isWhole && ownSecond < second;
  const bound = Types.ObjectId.createFromTime(isBefore ? second : second + 1);
  return direction === 'in-order' ? { $gte: bound } : { $lt: bound };
}
