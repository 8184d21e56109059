import type { Place } from '../place.ts';

export interface Wanted {
  readonly campaignId: string;
  readonly texterId: string;
  readonly count: number;
  /** Time is over: stop as soon as you can. */
  readonly isOver: () => boolean;
}

/** One way to give a texter conversations of a campaign's pool, oldest first. Says how many it gave. */
export type ClaimWay = (place: Place, wanted: Wanted) => Promise<number>;

const POOL = { assigneeId: null, status: 'not-started', optedOut: false } as const;
const OLDEST_FIRST = { waitingSince: 1, _id: 1 } as const;

/** What a helpdesk does: one conversation after another. */
export const findOneAndUpdateLoop: ClaimWay = async ({ context }, { campaignId, texterId, count, isOver }) => {
  let given = 0;
  for (; given < count && !isOver(); given += 1) {
    const one = await context.database.conversations.findOneAndUpdate(
      { campaignId, ...POOL },
      { $set: { assigneeId: texterId, assignedAt: new Date() }, $inc: { assignmentVersion: 1 } },
      { sort: OLDEST_FIRST, projection: { _id: 1 } },
    );
    if (!one) break;
  }
  return given;
};

/** Reads the first, updates those still free, and goes again for what others were quicker at. */
export const findAndGuardedUpdate: ClaimWay = async ({ context }, { campaignId, texterId, count, isOver }) => {
  const { conversations } = context.database;
  let given = 0;
  while (given < count && !isOver()) {
    const first = conversations.find(
      { campaignId, ...POOL },
      { projection: { _id: 1 }, sort: OLDEST_FIRST, limit: count - given },
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

/** Through the queue and back: rules, receipt, trail and all. */
export const selfAssign: ClaimWay = async (place, { campaignId, texterId, count }) => {
  const sent = await place.producer.selfAssign({ claimId: place.newId('cl'), campaignId, texterId, count });
  const { conversationIds } = await sent.result();
  return conversationIds.length;
};
