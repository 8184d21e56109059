import type { mongo } from 'mongoose';
import type { CampaignRecord, NewTexter, CampaignsStore, TexterRecord } from './ports.ts';
import type { SelfAssignSettings } from './campaign.ts';
import { Refusal, shown } from '../domain/errors.ts';
import { IN_ONE_BATCH, isDuplicateKey, type Database } from '../mongo/database.ts';
import type { CampaignDoc, TexterDoc } from '../mongo/documents.ts';

/** Writes through mongoose's models, so that what people enter meets their validation. */
export class MongoCampaignsStore implements CampaignsStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async insertCampaign({ campaignId, ...campaign }: CampaignRecord): Promise<void> {
    const rotation = { sequence: 0, nextJoinedOrder: 0 };
    try {
      await this.database.models.campaigns.create({ _id: campaignId, ...campaign, operationCount: 0, rotation });
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      throw new Refusal('campaign-exists', { expected: 'an id that no campaign has', received: shown(campaignId) });
    }
  }

  async findCampaign(campaignId: string): Promise<CampaignRecord | undefined> {
    const doc = await this.database.campaigns.findOne({ _id: campaignId });
    return doc ? toCampaign(doc) : undefined;
  }

  async campaignsNamed(name: string, limit: number): Promise<CampaignRecord[]> {
    return (await this.database.campaigns.find({ name }, { limit }).toArray()).map(toCampaign);
  }

  async listCampaigns(limit: number): Promise<CampaignRecord[]> {
    const newest = this.database.campaigns.find({}, { sort: { createdAt: -1, _id: 1 }, limit });
    return (await newest.toArray()).map(toCampaign);
  }

  setClosed(campaignId: string, closed: boolean): Promise<CampaignRecord | undefined> {
    return this.setOn(campaignId, { closed });
  }

  changeRules(campaignId: string, changes: Partial<SelfAssignSettings>): Promise<CampaignRecord | undefined> {
    const rules = Object.entries(changes).map(([rule, value]) => [`selfAssign.${rule}`, value] as const);
    return this.setOn(campaignId, Object.fromEntries(rules));
  }

  /** In a transaction: a texter who was there already takes no place in the order of joining. */
  async insertTexter(texter: NewTexter): Promise<TexterRecord> {
    try {
      return await this.database.transaction((session) => this.join(texter, session));
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      const expected = 'an id that no texter of the campaign has';
      throw new Refusal('texter-exists', { expected, received: shown(texter.texterId) });
    }
  }

  async setActive(campaignId: string, texterId: string, active: boolean): Promise<TexterRecord | undefined> {
    const filter = { campaignId, texterId };
    const update = { $set: { active } };
    const doc = await this.database.texters.findOneAndUpdate(filter, update, { returnDocument: 'after' });
    return doc ? toTexter(doc) : undefined;
  }

  async listTexters(campaignId: string): Promise<TexterRecord[]> {
    const texters = await this.database.texters.find({ campaignId }, IN_ONE_BATCH).toArray();
    return texters.map(toTexter).sort((a, b) => a.joinedOrder - b.joinedOrder);
  }

  private async setOn(campaignId: string, fields: mongo.MatchKeysAndValues<CampaignDoc>) {
    const update = { $set: fields };
    const doc = await this.database.campaigns.findOneAndUpdate({ _id: campaignId }, update, {
      returnDocument: 'after',
    });
    return doc ? toCampaign(doc) : undefined;
  }

  private async join(texter: NewTexter, session: mongo.ClientSession): Promise<TexterRecord> {
    const { campaignId, texterId, name, at } = texter;
    const campaign = await this.database.campaigns.findOneAndUpdate(
      { _id: campaignId },
      { $inc: { texterCount: 1 } },
      { returnDocument: 'after', projection: { texterCount: 1 }, session },
    );
    if (!campaign) {
      throw new Refusal('unknown-campaign', { expected: 'a campaign that exists', received: shown(campaignId) });
    }
    const joined = { texterId, name, active: true, joinedOrder: campaign.texterCount };
    await this.database.models.texters.create([{ campaignId, ...joined, createdAt: at }], { session });
    return joined;
  }
}

function toCampaign(doc: CampaignDoc): CampaignRecord {
  const { _id: campaignId, name, closed, selfAssign, texterCount, createdAt } = doc;
  return { campaignId, name, closed, selfAssign, texterCount, createdAt };
}

function toTexter({ texterId, name, active, joinedOrder }: TexterDoc): TexterRecord {
  return { texterId, name, active, joinedOrder };
}
