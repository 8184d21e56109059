import type { mongo, QueryFilter } from 'mongoose';
import type { Campaign, SelfAssignSettings } from './campaign.ts';
import { fenceBatches, fenceTexters } from './fence.ts';
import type { CampaignPlace, CampaignRemoval, CampaignStore, CreditStore } from './ports.ts';
import { isRemoved, toCampaign, type StoredCampaign } from './stored.ts';
import { Refusal } from '../domain/errors.ts';
import { UNFINISHED_STATES } from '../domain/operation.ts';
import { DEFAULT_ORGANISATION, OF_ANOTHER_ORGANISATION, organisationOf } from '../domain/id-rules.ts';
import { shownId } from '../domain/safe-text.ts';
import type { Database } from '../mongo/database.ts';
import { isDuplicateKey } from '../mongo/server-errors.ts';
import type { CampaignDoc, CreditDoc } from '../mongo/documents.ts';
import { ORGANISATION_INDEX } from '../mongo/indexes.ts';
import { increment } from '../mongo/stored-values.ts';
import type { Credit } from '../domain/credits.ts';

const NOT_REMOVED = { removedAt: null } as const;

const NEWEST_FIRST = { createdAt: -1, _id: 1 } as const;

export class MongoCampaignStore implements CampaignStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async insert({ campaignId, ...campaign }: Campaign): Promise<void> {
    try {
      const organisationId = organisationOf(campaignId);
      await this.database.models.campaigns.create({ _id: campaignId, organisationId, ...campaign, operationCount: 0 });
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      throw new Refusal('campaign-exists', {
        message: `campaign ${shownId(campaignId)} already exists`,
        expected: 'an id that no campaign has',
        received: shownId(campaignId),
      });
    }
  }

  async find(campaignId: string): Promise<Campaign | undefined> {
    const doc = await this.database.models.campaigns.findById(campaignId).lean<StoredCampaign>();
    return doc && !isRemoved(doc) ? toCampaign(doc) : undefined;
  }

  async findAll(campaignIds: readonly string[]): Promise<Campaign[]> {
    const found = this.database.models.campaigns.find({ _id: { $in: [...campaignIds] } });
    return (await found.lean<StoredCampaign[]>()).filter((doc) => !isRemoved(doc)).map(toCampaign);
  }

  async findByName(name: string, limit: number): Promise<Campaign[]> {
    const docs = await this.database.models.campaigns
      .find({ name, ...NOT_REMOVED })
      .limit(limit)
      .lean<StoredCampaign[]>();
    return docs.map(toCampaign);
  }

  async list(limit: number): Promise<Campaign[]> {
    const found = this.database.models.campaigns.find(NOT_REMOVED).sort(NEWEST_FIRST).limit(limit);
    const docs = await found.lean<StoredCampaign[]>();
    return docs.map(toCampaign);
  }

  async listOf(organisationId: string, after: CampaignPlace | null, limit: number): Promise<Campaign[]> {
    // Campaigns that other programs have written have no organisation. Those with a plain id belong to the default one.
    const belongs =
      organisationId === DEFAULT_ORGANISATION
        ? { organisationId: { $in: [organisationId, null] }, _id: { $not: OF_ANOTHER_ORGANISATION } }
        : { organisationId };
    const isAfter = after && [
      { createdAt: { $lt: after.createdAt } },
      { createdAt: after.createdAt, _id: { $gt: after.campaignId } },
    ];
    const filter = {
      ...belongs,
      ...NOT_REMOVED,
      // The range lets a later page start in the index where the page before ended.
      ...(after && { createdAt: { $lte: after.createdAt } }),
      ...(isAfter && { $or: isAfter }),
    } as QueryFilter<CampaignDoc>;
    const found = this.database.models.campaigns.find(filter).sort(NEWEST_FIRST).hint(ORGANISATION_INDEX);
    return (await found.limit(limit).lean<StoredCampaign[]>()).map(toCampaign);
  }

  async setClosed(campaignId: string, closed: boolean): Promise<Campaign | undefined> {
    const campaign = await this.set(campaignId, { closed });
    if (closed) await Promise.all([fenceTexters, fenceBatches].map((fence) => fence(this.database, campaignId)));
    return campaign;
  }

  setCountry(campaignId: string, country: string | null): Promise<Campaign | undefined> {
    return this.set(campaignId, { country });
  }

  rename(campaignId: string, name: string): Promise<Campaign | undefined> {
    return this.set(campaignId, { name });
  }

  /** Accepting a bulk operation writes the campaign too, so one of two concurrent transactions repeats. */
  async remove(campaignId: string, at: Date): Promise<CampaignRemoval | undefined> {
    const { campaigns, operations } = this.database;
    return this.database.transaction(async (session) => {
      const doc: StoredCampaign | null = await campaigns.findOne({ _id: campaignId, ...NOT_REMOVED }, { session });
      if (!doc) return undefined;
      const campaign = toCampaign(doc);
      const open = { campaignId, state: { $in: [...UNFINISHED_STATES] } };
      const unfinished = await operations.countDocuments(open, { session });
      const isRemoved = campaign.closed && unfinished === 0;
      if (isRemoved) await campaigns.updateOne({ _id: campaignId }, { $set: { removedAt: at } }, { session });
      return { campaign, unfinished, isRemoved };
    });
  }

  async restore(campaignId: string): Promise<Campaign | undefined> {
    const removed = { _id: campaignId, removedAt: { $type: 'date' } } as const;
    const options = { returnDocument: 'after' } as const;
    const doc = await this.database.campaigns.findOneAndUpdate(removed, { $unset: { removedAt: '' } }, options);
    return doc ? toCampaign(doc) : undefined;
  }

  async changeRules(campaignId: string, changes: Partial<SelfAssignSettings>): Promise<Campaign | undefined> {
    // A rule cannot be written into a value of another type, such as `null`.
    const isOther = { $expr: { $not: { $in: [{ $type: '$selfAssign' }, ['object', 'missing']] } } };
    await this.database.campaigns.updateOne({ _id: campaignId, ...isOther }, { $unset: { selfAssign: '' } });
    const rules = Object.entries(changes).map(([rule, value]) => [`selfAssign.${rule}`, value] as const);
    return this.set(campaignId, Object.fromEntries(rules));
  }

  private async set(campaignId: string, fields: mongo.MatchKeysAndValues<CampaignDoc>): Promise<Campaign | undefined> {
    const options = { returnDocument: 'after', runValidators: true } as const;
    const filter = { _id: campaignId, ...NOT_REMOVED };
    const update = this.database.models.campaigns.findOneAndUpdate(filter, { $set: fields }, options);
    const doc = await update.lean<StoredCampaign>();
    return doc ? toCampaign(doc) : undefined;
  }
}

/**
 * Counts `count` more bulk operations of a campaign and returns the sum; 0 for an unknown campaign. Of two concurrent
 * transactions that count, one waits for the other.
 */
export async function nextOperationCount(
  database: Database,
  campaignId: string,
  count: number,
  session: mongo.ClientSession,
): Promise<number> {
  const options = { session, returnDocument: 'after', projection: { operationCount: 1 } } as const;
  const { campaigns } = database;
  const campaign = await campaigns.findOneAndUpdate(
    { _id: campaignId, ...NOT_REMOVED },
    increment('operationCount', count),
    options,
  );
  return campaign?.operationCount ?? 0;
}

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
