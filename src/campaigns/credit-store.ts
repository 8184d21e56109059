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

/** Replaces the credits of a campaign, in the transaction that ends the operation which dealt last. */
export async function replaceCredits(
  database: Database,
  campaignId: string,
  credits: readonly Credit[],
  session: mongo.ClientSession,
): Promise<void> {
  await database.credits.updateOne({ _id: campaignId }, { $set: { credits: [...credits] } }, { upsert: true, session });
}
