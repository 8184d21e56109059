import { CLAIMABLE_INDEX } from '../../src/mongo/indexes.ts';
import type { Place } from '../place.ts';

export interface Wanted {
  readonly campaignId: string;
  readonly texterId: string;
  readonly count: number;
  /** Until time is over: then stop as soon as you can. */
  readonly timeLeftMs: () => number;
}

/** One way to give a texter conversations of a campaign's pool, oldest first. Says how many it gave. */
export type ClaimWay = (place: Place, wanted: Wanted) => Promise<number>;

const POOL = { assigneeId: null, status: 'not-started', optedOut: false } as const;
const OLDEST_FIRST = { waitingSince: 1, _id: 1 } as const;

/** What a helpdesk does: one conversation after another. One that takes longer than there is time counts as not given. */
export const findOneAndUpdateLoop: ClaimWay = async ({ context }, { campaignId, texterId, count, timeLeftMs }) => {
  const { conversations } = context.database;
  const gift = { $set: { assigneeId: texterId, assignedAt: new Date() }, $inc: { assignmentVersion: 1 } };
  const take = (maxTimeMS: number): Promise<unknown> =>
    conversations
      .findOneAndUpdate({ campaignId, ...POOL }, gift, { sort: OLDEST_FIRST, projection: { _id: 1 }, maxTimeMS })
      .catch(noneInTime);
  let given = 0;
  while (given < count && timeLeftMs() >= 1 && (await take(Math.floor(timeLeftMs())))) given += 1;
  return given;
};

/** The server's code for an operation that it broke off. */
const MAX_TIME_EXPIRED = 50;

function noneInTime(error: Error & { readonly code?: unknown }): null {
  if (error.code === MAX_TIME_EXPIRED) return null;
  throw error;
}

/** Reads the first, updates those still free, and goes again for what others were quicker at. */
export const findAndGuardedUpdate: ClaimWay = async ({ context }, { campaignId, texterId, count, timeLeftMs }) => {
  const { conversations } = context.database;
  let given = 0;
  while (given < count && timeLeftMs() > 0) {
    const first = conversations.find(
      { campaignId, ...POOL },
      { projection: { _id: 1 }, sort: OLDEST_FIRST, limit: count - given, hint: CLAIMABLE_INDEX },
    );
    const ids = (await first.toArray()).map(({ _id }) => _id);
    if (ids.length === 0) break;
    const { modifiedCount } = await conversations.updateMany(
      { _id: { $in: ids }, campaignId, ...POOL },
      { $set: { assigneeId: texterId, assignedAt: new Date() }, $inc: { assignmentVersion: 1 } },
    );
    given += modifiedCount;
  }
  return given;
};

/** Through the queue and back: rules, receipt, history and all. */
export const selfAssign: ClaimWay = async (place, { campaignId, texterId, count }) => {
  const sent = await place.producer.selfAssign({ operationId: place.newId('cl'), campaignId, texterId, count });
  const { conversationIds } = await sent.result();
  return conversationIds.length;
};
