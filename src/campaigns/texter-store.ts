import type { mongo, QueryFilter } from 'mongoose';
import type { Texter } from './campaign.ts';
import { fenceBatches, RAISE_FENCE } from './fence.ts';
import type { NewTexter, TexterStore } from './ports.ts';
import { Refusal, unknownCampaign } from '../domain/errors.ts';
import { shownId } from '../domain/safe-text.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import type { TexterDoc } from '../mongo/documents.ts';
import { isDuplicateKey } from '../mongo/server-errors.ts';
import { increment, storedCount } from '../mongo/stored-values.ts';
import { inJoinedOrder, toTexter, type StoredTexter } from './stored.ts';

const TEXTER_FIELDS = { texterId: 1, name: 1, active: 1, joinedOrder: 1, createdAt: 1 } as const;

const TOKEN_FIELDS = { tokenVersion: 1 } as const;

export class MongoTexterStore implements TexterStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /** Uses a transaction, so that a refused texter takes no place in the order of joining. */
  async insert(texter: NewTexter): Promise<Texter> {
    try {
      return await this.database.transaction((session) => this.join(texter, session));
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      throw new Refusal('texter-exists', {
        message: `texter ${shownId(texter.texterId)} is already on the campaign`,
        expected: 'an id that no texter of the campaign has',
        received: shownId(texter.texterId),
      });
    }
  }

  /** Reads in one batch and sorts here: a cursor can miss or repeat documents that are written while it is open. */
  async list(campaignId: string): Promise<Texter[]> {
    return this.read({ campaignId, removedAt: null });
  }

  findMany(campaignId: string, texterIds: readonly string[]): Promise<Texter[]> {
    return this.read({ campaignId, texterId: { $in: [...texterIds] }, removedAt: null });
  }

  async listRemoved(campaignId: string): Promise<Texter[]> {
    return this.read({ campaignId, removedAt: { $type: 'date' } });
  }

  rename(campaignId: string, texterId: string, name: string): Promise<Texter | undefined> {
    return this.update({ campaignId, texterId, removedAt: null }, { $set: { name } });
  }

  remove(campaignId: string, texterId: string, at: Date): Promise<Texter | undefined> {
    const paused = { campaignId, texterId, active: { $ne: true }, removedAt: null } as const;
    // A texter who is restored later gets new tokens.
    return this.update(paused, [{ $set: { removedAt: at } }, ...increment('tokenVersion')]);
  }

  restore(campaignId: string, texterId: string): Promise<Texter | undefined> {
    const removed = { campaignId, texterId, removedAt: { $type: 'date' } } as const;
    return this.update(removed, { $unset: { removedAt: '' }, $set: { active: false } });
  }

  async setActive(campaignId: string, texterId: string, active: boolean): Promise<Texter | undefined> {
    const filter = { campaignId, texterId, removedAt: null };
    // The write is also the fence of what writes the texter's document, such as claims and single moves.
    const update = [{ $set: { active } }, ...RAISE_FENCE];
    const texter = await this.update(filter, update);
    if (!active) await fenceBatches(this.database, campaignId);
    return texter;
  }

  private async read(filter: QueryFilter<TexterDoc>): Promise<Texter[]> {
    const found = this.database.models.texters.find(filter, TEXTER_FIELDS, IN_ONE_BATCH);
    return inJoinedOrder(await found.lean<StoredTexter[]>());
  }

  private async update(
    filter: mongo.Filter<TexterDoc>,
    update: mongo.UpdateFilter<TexterDoc> | mongo.Document[],
  ): Promise<Texter | undefined> {
    const options = { returnDocument: 'after', projection: TEXTER_FIELDS } as const;
    const doc: StoredTexter | null = await this.database.texters.findOneAndUpdate(filter, update, options);
    return doc ? toTexter(doc) : undefined;
  }

  async find(campaignId: string, texterId: string): Promise<Texter | undefined> {
    const found = this.database.models.texters.findOne({ campaignId, texterId, removedAt: null }, TEXTER_FIELDS);
    const doc = await found.lean<StoredTexter>();
    return doc ? toTexter(doc) : undefined;
  }

  async tokenVersion(campaignId: string, texterId: string): Promise<number | undefined> {
    const filter = { campaignId, texterId, removedAt: null };
    const doc = await this.database.models.texters.findOne(filter, TOKEN_FIELDS).lean<{ tokenVersion?: unknown }>();
    return doc ? (storedCount(doc.tokenVersion) ?? 0) : undefined;
  }

  async revokeTokens(campaignId: string, texterId: string): Promise<number | undefined> {
    const options = { returnDocument: 'after', projection: TOKEN_FIELDS } as const;
    const filter = { campaignId, texterId, removedAt: null };
    const doc = await this.database.texters.findOneAndUpdate(filter, increment('tokenVersion'), options);
    return doc ? (storedCount(doc.tokenVersion) ?? 0) : undefined;
  }

  private async join({ campaignId, texterId, name, createdAt }: NewTexter, session: mongo.ClientSession) {
    const options = { returnDocument: 'after', projection: { texterCount: 1 }, session } as const;
    const campaign = await this.database.campaigns.findOneAndUpdate(
      { _id: campaignId, removedAt: null },
      increment('texterCount'),
      options,
    );
    if (!campaign) throw unknownCampaign(campaignId);
    const texter: Texter = { texterId, name, active: true, joinedOrder: campaign.texterCount };
    await this.database.models.texters.create([{ campaignId, ...texter, createdAt }], { session });
    return texter;
  }
}
