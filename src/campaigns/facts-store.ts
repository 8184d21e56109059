import type { CampaignFacts, CampaignStore, TexterStore } from './ports.ts';
import type { Texter } from './ports.ts';
import type { CampaignDoc } from '../mongo/documents.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';

export class MongoCampaignStore implements CampaignStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async find(campaignId: string): Promise<CampaignFacts | undefined> {
    const projection = { closed: 1, rotation: 1 };
    const doc = await this.database.campaigns.findOne<Pick<CampaignDoc, 'closed' | 'rotation'>>(
      { _id: campaignId },
      { projection },
    );
    return doc ? { campaignId, closed: doc.closed, nextJoinedOrder: doc.rotation.nextJoinedOrder } : undefined;
  }

  async keepRotation(campaignId: string, sequence: number, nextJoinedOrder: number): Promise<void> {
    await this.database.campaigns.updateOne(
      { _id: campaignId, 'rotation.sequence': { $lt: sequence } },
      { $set: { rotation: { sequence, nextJoinedOrder } } },
    );
  }
}

export class MongoTexterStore implements TexterStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async list(campaignId: string): Promise<Texter[]> {
    const projection = { _id: 0, texterId: 1, joinedOrder: 1, active: 1 };
    const found = this.database.texters.find<Texter>({ campaignId }, { projection, ...IN_ONE_BATCH });
    const texters = await found.toArray();
    return texters.sort((a, b) => a.joinedOrder - b.joinedOrder);
  }
}
