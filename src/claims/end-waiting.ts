import type { mongo } from 'mongoose';
import type { ClaimEndedReason } from '../domain/receipt.ts';
import type { Database } from '../mongo/database.ts';
import { IS_WAITING, TO_WAKE } from '../mongo/documents.ts';
import { BY_ID, WAITING_INDEX } from '../mongo/indexes.ts';

interface Ended {
  readonly campaignId: string;
  /** Default: all texters. */
  readonly texterIds?: readonly string[];
  /** The ids of claims that do not end. */
  readonly except?: readonly string[];
}

/**
 * Ends the waiting claims of a campaign, or those of some of its texters, with the conversations they have. Returns their
 * operation ids. Their jobs still have to be woken.
 */
export async function endWaitingClaims(
  database: Database,
  { campaignId, texterIds, except = [] }: Ended,
  reason: ClaimEndedReason,
  session?: mongo.ClientSession,
): Promise<readonly string[]> {
  const ofTexters = texterIds ? { 'request.texterId': { $in: [...texterIds] } } : {};
  // Without a receipt the reason has no place, and the error would keep the other claims waiting.
  const filter = { campaignId, ...IS_WAITING, receipt: { $ne: null }, ...ofTexters };
  const options = session ? { session } : {};
  const waiting = database.claims.find(filter, { ...options, projection: { _id: 1 }, hint: WAITING_INDEX });
  const ids = (await waiting.toArray()).map(({ _id }) => _id).filter((id) => !except.includes(id));
  if (ids.length === 0) return ids;
  const $set = { state: 'done' as const, endedAt: database.now(), 'receipt.shortBecause': reason, ...TO_WAKE };
  const update = { $set, $unset: { waiting: '' as const } };
  await database.claims.updateMany({ _id: { $in: ids }, ...IS_WAITING }, update, { ...options, hint: BY_ID });
  return ids;
}
