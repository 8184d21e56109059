import type { mongo } from 'mongoose';
import { NO_SEQUENCE } from './operation.ts';
import type { Database } from '../mongo/database.ts';

/** The campaign's row is written, so that of two that are accepted at once one waits for the other. */
export async function nextSequence(
  database: Database,
  campaignId: string,
  session: mongo.ClientSession,
): Promise<number> {
  const campaign = await database.campaigns.findOneAndUpdate(
    { _id: campaignId },
    { $inc: { operationCount: 1 } },
    { session, returnDocument: 'after', projection: { operationCount: 1 } },
  );
  return campaign?.operationCount ?? NO_SEQUENCE;
}
