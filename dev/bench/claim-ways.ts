import type { Sandbox } from '../sandbox.ts';
import { CLAIMABLE_INDEX } from '../../src/mongo/indexes.ts';

export interface Wanted {
  readonly campaignId: string;
  readonly texterId: string;
  readonly count: number;
  /** When it reaches 0, the way must stop as soon as it can. */
  readonly timeLeftMs: () => number;
}

/** One way to assign the oldest conversations of a pool to a texter. Returns the number of them. */
export type ClaimWay = (sandbox: Sandbox, wanted: Wanted) => Promise<number>;

const POOL = { assigneeId: null, status: 'not-started', optedOut: false } as const;
const OLDEST_FIRST = { waitingSince: 1, _id: 1 } as const;

/** A helpdesk: one conversation after the other. An update that exceeds the time left counts as not done. */
export const findOneAndUpdateLoop: ClaimWay = async ({ context }, { campaignId, texterId, count, timeLeftMs }) => {
  const { conversations } = context.database;
  const update = { $set: { assigneeId: texterId, assignedAt: new Date() }, $inc: { assignmentVersion: 1 } };
  const assignNext = (maxTimeMS: number): Promise<unknown> =>
    conversations
      .findOneAndUpdate({ campaignId, ...POOL }, update, { sort: OLDEST_FIRST, projection: { _id: 1 }, maxTimeMS })
      .catch(noneInTime);
  let assigned = 0;
  while (assigned < count && timeLeftMs() >= 1 && (await assignNext(Math.floor(timeLeftMs())))) assigned += 1;
  return assigned;
};

/** The server's error code for a command that exceeded maxTimeMS. */
const MAX_TIME_EXPIRED = 50;

function noneInTime(error: Error & { readonly code?: unknown }): null {
  if (error.code === MAX_TIME_EXPIRED) return null;
  throw error;
}

/** Reads the oldest, updates those that are still in the pool, and repeats for the rest. */
export const findAndGuardedUpdate: ClaimWay = async ({ context }, { campaignId, texterId, count, timeLeftMs }) => {
  const { conversations } = context.database;
  let assigned = 0;
  while (assigned < count && timeLeftMs() > 0) {
    const first = conversations.find(
      { campaignId, ...POOL },
      { projection: { _id: 1 }, sort: OLDEST_FIRST, limit: count - assigned, hint: CLAIMABLE_INDEX },
    );
    const ids = (await first.toArray()).map(({ _id }) => _id);
    if (ids.length === 0) break;
    const { modifiedCount } = await conversations.updateMany(
      { _id: { $in: ids }, campaignId, ...POOL },
      { $set: { assigneeId: texterId, assignedAt: new Date() }, $inc: { assignmentVersion: 1 } },
    );
    assigned += modifiedCount;
  }
  return assigned;
};

/** Baton: through the queue, with rules, receipt and history. */
export const selfAssign: ClaimWay = async (sandbox, { campaignId, texterId, count }) => {
  const sent = await sandbox.producer.selfAssign({ operationId: sandbox.newId('cl'), campaignId, texterId, count });
  const { conversationIds } = await sent.result();
  return conversationIds.length;
};
