import type { mongo } from 'mongoose';
import { UNAPPLIED_MAX } from '../domain/in-flight.ts';
import type { Database } from '../mongo/database.ts';
import { batchIdsOf } from '../mongo/documents.ts';
import { BY_ID, LOCK_INDEX } from '../mongo/indexes.ts';
import { increment } from '../mongo/stored-values.ts';

/*
 * A fence makes a change of the rules final: after the caller has been answered, no transaction that began under the old
 * rules can commit any more. Call it after the change is stored.
 *
 * Every transaction that gives conversations to texters also writes a document: the batch of a bulk operation, or the
 * document of each texter for claims, single moves, imports and operations that are moved at once. The fence writes the same documents outside a transaction. On
 * MongoDB such a write waits until an open transaction with the document has ended. A transaction that reaches the
 * document after the fence conflicts, begins again, and reads the new rules.
 *
 * If every batch wrote its texters' documents instead, the batches in flight would conflict with each other.
 */

/** The update of a texter's document that makes it a fence. */
export const RAISE_FENCE = increment('fence');

/** Fences the batches of the campaign's running bulk operation that are not applied yet. */
export async function fenceBatches({ operations, batches }: Database, campaignId: string): Promise<void> {
  const running = await operations.findOne({ campaignLock: campaignId }, { projection: { _id: 1 }, hint: LOCK_INDEX });
  if (!running) return;
  const newest = batches.find({ _id: batchIdsOf(running._id) }, { projection: { _id: 1 } });
  const recent = await newest.sort({ _id: -1 }).limit(UNAPPLIED_MAX).toArray();
  const planned = { _id: { $in: recent.map(({ _id }) => _id) }, state: 'planned' } as const;
  await batches.updateMany(planned, { $inc: { fence: 1 } }, { hint: BY_ID });
}

/** Fences the claims, single moves and operations that are moved at once, for every texter of the campaign. */
export async function fenceTexters({ texters }: Database, campaignId: string): Promise<void> {
  await texters.updateMany({ campaignId }, RAISE_FENCE);
}

/**
 * Writes the documents of these texters in a transaction, so that a pause of them, and a close of their campaign, wait for it.
 * Returns false when one of them is not active.
 */
export async function fenceActive(
  { texters }: Database,
  campaignId: string,
  texterIds: readonly string[],
  session: mongo.ClientSession,
): Promise<boolean> {
  if (texterIds.length === 0) return true;
  const active = { campaignId, texterId: { $in: [...texterIds] }, active: true };
  const { matchedCount } = await texters.updateMany(active, RAISE_FENCE, { session });
  return matchedCount === texterIds.length;
}
