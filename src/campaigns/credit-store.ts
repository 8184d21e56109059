import type { mongo } from 'mongoose';
import type { Credit } from '../domain/credits.ts';
import type { Database } from '../mongo/database.ts';
import type { CreditDoc } from '../mongo/documents.ts';
import type { CreditStore } from './ports.ts';

export class MongoCreditStore implements CreditStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async list(campaignId: string): Promise<Credit[]> {
    const doc = await this.database.models.credits.findById(campaignId).lean<CreditDoc>();
    return doc?.credits ?? [];
  }
}

/** Changes the credits of a campaign, in the transaction that ends an operation. */
export async function changeCredits(
  { models }: Database,
  campaignId: string,
  change: (stored: readonly Credit[]) => readonly Credit[],
  session: mongo.ClientSession,
): Promise<void> {
  const doc = await models.credits.findById(campaignId, null, { session }).lean<CreditDoc>();
  const $set = { credits: [...change(doc?.credits ?? [])] };
  await models.credits.updateOne({ _id: campaignId }, { $set }, { upsert: true, session });
}
