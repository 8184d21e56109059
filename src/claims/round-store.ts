import type { mongo } from 'mongoose';
import { isClosed, RAISE_FENCE, rulesOf, type StoredCampaign } from '../campaigns/index.ts';
import { WriteConflict } from '../domain/errors.ts';
import { moveUpdate } from '../conversations/index.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import { isDuplicateKey } from '../mongo/server-errors.ts';
import { BY_ID } from '../mongo/indexes.ts';
import { increment, storedCount } from '../mongo/stored-values.ts';
import { CLAIMABLE, objectIds, TO_WAKE, type ClaimDoc, type ConversationDoc } from '../mongo/documents.ts';
import type { Claim, Decision, Pool } from './claim.ts';
import { PoolReader, type PoolOperation } from './pool-reader.ts';
import { endWaitingClaims } from './end-waiting.ts';
import { KnownOperationId, type RoundStart, type RoundStore, type WaitingChange } from './ports.ts';
import type { TexterLoad } from './rules.ts';
import { loadsById, loadsOf, readLoads, type CountedTexter } from './texter-loads.ts';

type CampaignAndTexters = Pick<StoredCampaign, '_id' | 'closed' | 'selfAssign' | 'waitingCount'> & {
  readonly running: readonly PoolOperation[];
  readonly texters?: readonly CountedTexter[];
};

/** The campaigns with a rule about replies that are remembered. One that is not costs its next round another query. */
const WITH_REPLIES_MAX = 10_000;

export class MongoRoundStore implements RoundStore {
  readonly now: Date;
  /** How many conversations are being assigned. Not 0 after an error: other writers may have caused it. */
  assigning = 0;
  private readonly database: Database;
  private readonly session: mongo.ClientSession;
  private readonly campaignId: string;
  private readonly pool: PoolReader;

  /** The campaigns that had a rule about replies when a round last read it. */
  private readonly withReplies: Set<string>;

  /** The first `skip` conversations of the pool are used last, because other transactions are writing them. */
  constructor(
    database: Database,
    session: mongo.ClientSession,
    campaignId: string,
    { skip = 0, withReplies = new Set() }: { readonly skip?: number; readonly withReplies?: Set<string> } = {},
  ) {
    this.withReplies = withReplies;
    this.now = database.now();
    this.database = database;
    this.session = session;
    this.campaignId = campaignId;
    this.pool = new PoolReader(database, session, campaignId, skip);
  }

  get isBesideOperation(): boolean {
    return this.pool.isBesideOperation;
  }

  /**
   * One query in the transaction, and one beside it, because each round trip delays every claim of the round. The first round that
   * meets a rule about replies counts them in another query.
   */
  async start(texterIds: readonly string[], poolLimit: number): Promise<RoundStart> {
    this.pool.readAhead(poolLimit);
    const countReplies = this.withReplies.has(this.campaignId);
    const loads = loadsOf(this.database, { campaignId: this.campaignId, texterIds, countReplies });
    const texters = { from: this.database.texters.collectionName, pipeline: loads, as: 'texters' };
    const found = this.database.campaigns.aggregate<CampaignAndTexters>(
      [
        { $match: { _id: this.campaignId } },
        { $project: { _id: 1, closed: 1, selfAssign: 1, waitingCount: 1 } },
        this.pool.lookup('running'),
        ...(texterIds.length > 0 ? [{ $lookup: texters }] : []),
      ],
      { session: this.session, ...IN_ONE_BATCH },
    );
    const [campaign] = await found.toArray();
    if (!campaign) return { campaign: undefined, texters: new Map() };
    this.pool.operation = campaign.running[0];
    const rules = rulesOf(campaign.selfAssign);
    // Without a count, it is not known whether claims wait.
    const waitingCount = storedCount(campaign.waitingCount) ?? Infinity;
    const needsReplies = rules.repliesMax !== null;
    this.noteReplies(needsReplies);
    const isCounted = countReplies || !needsReplies;
    return {
      campaign: { closed: isClosed(campaign), selfAssign: rules, waitingCount },
      texters: isCounted ? loadsById(campaign.texters ?? []) : await this.readTexters(texterIds, true),
    };
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

  readTexters(texterIds: readonly string[], countReplies: boolean): Promise<ReadonlyMap<string, TexterLoad>> {
    return readLoads(this.database, { campaignId: this.campaignId, texterIds, countReplies }, this.session);
  }

  async lockTexters(texterIds: readonly string[]): Promise<void> {
    const filter = { campaignId: this.campaignId, texterId: { $in: [...texterIds] } };
    await this.database.texters.updateMany(filter, RAISE_FENCE, { session: this.session });
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
    this.pool.forget();
    if (assigned !== granted.length) {
      throw new WriteConflict(`a round of claims assigned ${assigned} of ${granted.length} conversations`);
    }
  }

  async updateWaiting(changes: readonly WaitingChange[]): Promise<void> {
    const updates = changes.map((change) => ({ updateOne: { ...waitingUpdate(change), hint: BY_ID } }));
    await this.database.claims.bulkWrite(updates, { session: this.session, ordered: false });
  }

  endReplaced(texterIds: readonly string[], by: readonly string[]): Promise<readonly string[]> {
    return endWaitingClaims(
      this.database,
      { campaignId: this.campaignId, texterIds, except: by },
      'replaced',
      this.session,
    );
  }

  private noteReplies(needsReplies: boolean): void {
    if (this.withReplies.size >= WITH_REPLIES_MAX) this.withReplies.clear();
    if (needsReplies) this.withReplies.add(this.campaignId);
    else this.withReplies.delete(this.campaignId);
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

function waitingUpdate({ claim, granted }: WaitingChange): {
  filter: mongo.Filter<ClaimDoc>;
  update: mongo.UpdateFilter<ClaimDoc>;
} {
  const { operationId, receipt, state, endedAt, waiting } = claim;
  const $push = { granted: { $each: objectIds(granted) } };
  const filter = { _id: operationId, 'waiting.sequence': { $exists: true } };
  if (!waiting) {
    return { filter, update: { $push, $set: { receipt, state, endedAt, ...TO_WAKE }, $unset: { waiting: '' } } };
  }
  if (!waiting.isBlocked) return { filter, update: { $push, $set: { receipt } } };
  const $set = { receipt, 'waiting.blockedSequence': waiting.sequence };
  return { filter, update: { $push, $set, $unset: { 'waiting.sequence': '' } } };
}

function toClaimDoc({ operationId, granted, waiting, ...fields }: Claim): ClaimDoc {
  const { kind } = fields.request;
  return {
    _id: operationId,
    kind,
    ...fields,
    granted: objectIds(granted),
    ...(waiting && { waiting: { sequence: waiting.sequence, until: waiting.until } }),
  };
}

/** Reads any operation, because an operation id may belong to another kind. Operations of other kinds have no grants. */
export function toClaim(doc: ClaimDoc): Claim {
  const { _id: operationId, kind, granted, waiting, toWake, ...fields } = doc;
  const ids = (granted as ClaimDoc['granted'] | undefined) ?? [];
  return {
    operationId,
    ...fields,
    granted: ids.map((id) => id.toHexString()),
    waiting: waiting ? placeOf(waiting) : null,
  };
}

function placeOf({ sequence, blockedSequence, until }: NonNullable<ClaimDoc['waiting']>): Claim['waiting'] {
  return { sequence: sequence ?? blockedSequence ?? 0, until, isBlocked: typeof sequence !== 'number' };
}
