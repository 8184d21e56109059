import { CLAIMABLE } from '../../../src/mongo/documents.ts';
import type { BusyCampaign } from './busy-campaign.ts';

/** A round reads the pool a little later than the time that it stores. */
const ROUND_MS_MAX = 250;

/**
 * Returns the claims that ended with `none-left` while a conversation that they could have received was in the pool. It
 * considers the conversations that were in the pool from the beginning and that nothing else than Baton has changed.
 */
export async function claimsWronglyShort({ harness, campaignId, assignees }: BusyCampaign): Promise<string[]> {
  const { claims, conversations } = harness.context.database;
  const short = await claims.find({ campaignId, 'receipt.shortBecause': 'none-left' }).toArray();
  const { status, optedOut } = CLAIMABLE;
  const claimable = await conversations.find({ campaignId, status, optedOut }).toArray();
  const fromPool = claimable.filter(
    ({ _id, history, assignmentVersion }) =>
      assignees.get(_id.toHexString()) === null && assignmentVersion === history.length,
  );
  const inPoolUntil = Math.max(0, ...fromPool.map(({ history }) => history[0]?.at.getTime() ?? Infinity));
  const wrong = short.filter(({ endedAt }) => endedAt && endedAt.getTime() + ROUND_MS_MAX < inPoolUntil);
  return wrong.map(({ _id }) => _id);
}
