import type { mongo } from 'mongoose';
import { isClosed, RAISE_FENCE, rulesOf, type StoredCampaign } from '../campaigns/index.ts';
import { moveUpdate } from '../conversations/index.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import { isDuplicateKey } from '../mongo/server-errors.ts';
import { BY_ID } from '../mongo/indexes.ts';
import { increment, storedCount } from '../mongo/stored-values.ts';
import { CLAIMABLE, objectIds, type ClaimDoc, type ConversationDoc } from '../mongo/documents.ts';
import type { Claim, Decision, Pool } from './claim.ts';
import { PoolReader, type PoolOperation } from './pool-reader.ts';
import { KnownOperationId, type RoundStore } from './ports.ts';
import type { CampaignRules, TexterLoad } from './rules.ts';
import { countAssigned, toLoad, type CountedTexter } from './texter-loads.ts';

type CampaignAndOperation = Pick<StoredCampaign, '_id' | 'closed' | 'selfAssign' | 'waitingCount'> & {
  readonly running: readonly PoolOperation[];
};

export class MongoRoundStore implements RoundStore {
  readonly now: Date;
  /** How many conversations are being assigned. Not 0 after an error: other writers may have caused it. */
  assigning = 0;
  private readonly database: Database;
  private readonly session: mongo.ClientSession;
  private readonly campaignId: string;
  private readonly pool: PoolReader;

  /** The first `skip` conversations of the pool are used last, because other transactions are writing them. */
  constructor(database: Database, session: mongo.ClientSession, campaignId: string, skip: number) {
    this.now = database.now();
    this.database = database;
    this.session = session;
    this.campaignId = campaignId;
    this.pool = new PoolReader(database, session, campaignId, skip);
  }

  get isBesideOperation(): boolean {
    return this.pool.isBesideOperation;
  }

  /** One query, because each round trip delays every claim of the round. */
  async findCampaign(): Promise<CampaignRules | undefined> {
    const found = this.database.campaigns.aggregate<CampaignAndOperation>(
      [
        { $match: { _id: this.campaignId } },
        { $project: { _id: 1, closed: 1, selfAssign: 1, waitingCount: 1 } },
        this.pool.lookup('running'),
      ],
      { session: this.session, ...IN_ONE_BATCH },
    );
    const [campaign] = await found.toArray();
    if (!campaign) return undefined;
    const { selfAssign, running } = campaign;
    this.pool.operation = running[0];
    // Without a count, it is not known whether claims wait.
    const waitingCount = storedCount(campaign.waitingCount) ?? Infinity;
    return { closed: isClosed(campaign), selfAssign: rulesOf(selfAssign), waitingCount };
  }

  async readWaiting(afterSequence: number, limit: number): Promise<Claim[]> {
    const filter = {
      campaignId: this.campaignId,
      'waiting.sequence': { $exists: true, $gt: afterSequence },
      'waiting.until': { $gt: this.now },
    };
    const sort = { 'waiting.sequence': 1 } as const;
    const docs = await this.database.claims.find(filter, { session: this.session, sort, limit }).toArray();
    return docs.map(toClaim);
  }

  /** Writes to each texter's document, so that of two rounds for one texter only one can commit. */
  async lockTexters(texterIds: readonly string[], countReplies: boolean): Promise<ReadonlyMap<string, TexterLoad>> {
    const { session, campaignId } = this;
    const filter = { campaignId, texterId: { $in: [...texterIds] } };
    await this.database.texters.updateMany(filter, RAISE_FENCE, { session });
    const pipeline = [
      { $match: filter },
      { $project: { _id: 0, texterId: 1, active: 1 } },
      ...countAssigned(this.database, campaignId, 'notStarted'),
      ...(countReplies ? countAssigned(this.database, campaignId, 'needsReply') : []),
    ];
    const texters = this.database.texters.aggregate<CountedTexter>(pipeline, { session, ...IN_ONE_BATCH });
    return new Map((await texters.toArray()).map((texter) => [texter.texterId, toLoad(texter)]));
  }

  async readPool(limit: number): Promise<Pool> {
    return limit === 0 ? { ids: [], shortage: 'none-left' } : this.pool.read(limit);
  }

  async reserveSequences(count: number): Promise<number> {
    const campaign = await this.database.campaigns.findOneAndUpdate(
      { _id: this.campaignId },
      increment('waitingCount', count),
      { session: this.session, projection: { waitingCount: 1 }, returnDocument: 'before' },
    );
    return storedCount(campaign?.waitingCount) ?? 0;
  }

  async insert(claims: readonly Claim[]): Promise<void> {
    try {
      await this.database.claims.insertMany(claims.map(toClaimDoc), { session: this.session });
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      throw new KnownOperationId('a claim has an operation id that exists already', { cause: error });
    }
  }

  async assign(decisions: readonly Decision[]): Promise<void> {
    const granted = decisions.flatMap((decision) => decision.granted);
    this.assigning = granted.length;
    const updates = decisions.map((decision) => ({ updateMany: { ...this.assignment(decision), hint: BY_ID } }));
    const { modifiedCount: assigned } = await this.database.conversations.bulkWrite(updates, { session: this.session });
    this.assigning = 0;
    if (assigned !== granted.length) {
      throw new Error(`a round of claims assigned ${assigned} of ${granted.length} conversations`);
    }
  }

  async updateWaiting(claim: Claim, granted: readonly string[]): Promise<void> {
    const { operationId, receipt, state, endedAt, waiting } = claim;
    await this.database.claims.updateOne(
      { _id: operationId, waiting: { $exists: true } },
      {
        $push: { granted: { $each: objectIds(granted) } },
        $set: { receipt, state, endedAt },
        ...(waiting === null && { $unset: { waiting: '' as const } }),
      },
      { session: this.session },
    );
  }

  private assignment({ claim, granted }: Decision): {
    filter: mongo.Filter<ConversationDoc>;
    update: mongo.Document[];
  } {
    const { operationId, texterId } = claim.request;
    return {
      filter: { _id: { $in: objectIds(granted) }, campaignId: this.campaignId, ...CLAIMABLE },
      update: moveUpdate({ operationId, from: null, to: texterId, at: this.now, by: texterId }),
    };
  }
}

function toClaimDoc({ operationId, granted, waiting, ...fields }: Claim): ClaimDoc {
  const { kind } = fields.request;
  return {
    _id: operationId,
    kind,
    ...fields,
    granted: objectIds(granted),
    ...(waiting && { waiting: { ...waiting } }),
  };
}

/** Reads any operation, because an operation id may belong to another kind. Operations of other kinds have no grants. */
export function toClaim(doc: ClaimDoc): Claim {
  const { _id: operationId, kind, granted, waiting, ...fields } = doc;
  const ids = (granted as ClaimDoc['granted'] | undefined) ?? [];
  return { operationId, ...fields, granted: ids.map((id) => id.toHexString()), waiting: waiting ?? null };
}
