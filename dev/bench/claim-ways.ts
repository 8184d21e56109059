import type { Place } from '../place.ts';

/** One way to give a texter `count` conversations of a campaign's pool, oldest first. */
export type ClaimWay = (place: Place, campaignId: string, texterId: string, count: number) => Promise<void>;

const POOL = { assigneeId: null, status: 'not-started', optedOut: false } as const;
const OLDEST_FIRST = { waitingSince: 1, _id: 1 } as const;

/** What a helpdesk does: one conversation after another. */
export const findOneAndUpdateLoop: ClaimWay = async ({ context }, campaignId, texterId, count) => {
  for (let given = 0; given < count; given += 1) {
    const given1 = await context.database.conversations.findOneAndUpdate(
      { campaignId, ...POOL },
      { $set: { assigneeId: texterId, assignedAt: new Date() }, $inc: { assignmentVersion: 1 } },
      { sort: OLDEST_FIRST, projection: { _id: 1 } },
    );
    if (!given1) return;
  }
};

/** Reads the first, updates those still free, and goes again for what others were quicker at. */
export const findAndGuardedUpdate: ClaimWay = async ({ context }, campaignId, texterId, count) => {
  const { conversations } = context.database;
  for (let given = 0; given < count;) {
    const first = conversations.find(
      { campaignId, ...POOL },
      { projection: { _id: 1 }, sort: OLDEST_FIRST, limit: count - given },
    );
    const ids = (await first.toArray()).map(({ _id }) => _id);
    if (ids.length === 0) return;
    const { modifiedCount } = await conversations.updateMany(
      { _id: { $in: ids }, campaignId, ...POOL },
      { $set: { assigneeId: texterId, assignedAt: new Date() }, $inc: { assignmentVersion: 1 } },
    );
    given += modifiedCount;
  }
};

/** Through the queue and back: rules, receipt, trail and all. */
export const selfAssign: ClaimWay = async (place, campaignId, texterId, count) => {
  const sent = await place.producer.selfAssign({ claimId: place.newId('cl'), campaignId, texterId, count });
  const { conversationIds } = await sent.result();
  if (conversationIds.length > count) throw new Error(`expected at most ${count}, got ${conversationIds.length}`);
};
