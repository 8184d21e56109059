import type { mongo } from 'mongoose';
import { Refusal, WriteConflict } from '../domain/errors.ts';
import { isClosed, rulesOf, type StoredCampaign } from '../campaigns/index.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import { CLAIMABLE, TO_WAKE, type ClaimDoc } from '../mongo/documents.ts';
import { BLOCKED_INDEX, BY_ID, CLAIMABLE_INDEX, WAITING_INDEX } from '../mongo/indexes.ts';
import { countConflict } from '../mongo/transaction.ts';
import { CANCELLED_RECEIPT, type Claim } from './claim.ts';
import { endWaitingClaims } from './end-waiting.ts';
import { ClaimsDelayed, type ClaimStore, type Round, type RoundStore, type Unblocked } from './ports.ts';
import { MongoRoundStore, toClaim } from './round-store.ts';
import { roomOf, type Snapshot, type TexterLoad } from './rules.ts';
import { readLimitedLoads, readLoads } from './texter-loads.ts';

/**
 * How long a round is repeated while it meets other writers. Then its claims go back into the queue, so that they do not
 * occupy the worker while they wait for another program.
 */
const ROUND_REPEATED_FOR_MS = 2_000;

/** The most conversations at the head of the pool that a round passes over after conflicts. */
const SKIP_MAX = 2_000;

/** How many blocked claims are compared with the rules at a time. */
const BLOCKED_PAGE = 100;

/** The update of a blocked claim that lets rounds read it again, in its old place. */
const UNBLOCKED = [{ $set: { 'waiting.sequence': '$waiting.blockedSequence' } }, { $unset: 'waiting.blockedSequence' }];

export class MongoClaimStore implements ClaimStore {
  readonly conversationsMax: number;
  private readonly database: Database;
  private readonly roundRepeatedForMs: number;
  private readonly withReplies = new Set<string>();

  constructor(database: Database, conversationsMax: number, roundRepeatedForMs = ROUND_REPEATED_FOR_MS) {
    this.database = database;
    this.conversationsMax = conversationsMax;
    this.roundRepeatedForMs = roundRepeatedForMs;
  }

  async find(operationId: string): Promise<Claim | undefined> {
    const doc = await this.database.models.operations.findById(operationId).lean<ClaimDoc>();
    return doc ? toClaim(doc) : undefined;
  }

  async findAll(operationIds: readonly string[]): Promise<Claim[]> {
    const found = this.database.models.operations.find({ _id: { $in: operationIds } });
    return (await found.lean<ClaimDoc[]>()).map(toClaim);
  }

  /** After a conflict about conversations, the next attempt takes later ones, because the other transaction may last. */
  async inRound(campaignId: string, work: (store: RoundStore) => Promise<Round>): Promise<Round> {
    let skip = 0;
    const { withReplies } = this;
    const attempt = async (session: mongo.ClientSession): Promise<Round> => {
      const store = new MongoRoundStore(this.database, session, campaignId, { skip, withReplies });
      try {
        return await work(store);
      } catch (error) {
        if (store.assigning > 0) skip = Math.min(skip + Math.max(skip, store.assigning), SKIP_MAX);
        throw error;
      }
    };
    try {
      const options = { repeatForMs: this.roundRepeatedForMs, onConflict: () => countConflict('claim') };
      return await this.database.transaction(attempt, options);
    } catch (error) {
      if (!(error instanceof WriteConflict)) throw error;
      throw new ClaimsDelayed(`a round of claims met other writers for ${this.roundRepeatedForMs} ms`, {
        cause: error,
      });
    }
  }

  async endWaiting(
    operationId: string,
    { cancellation, isByOwnJob = false }: Parameters<ClaimStore['endWaiting']>[1] = {},
  ): Promise<Claim | undefined> {
    const { shortBecause, left } = CANCELLED_RECEIPT;
    const ending = cancellation
      ? { state: 'cancelled' as const, cancellation, 'receipt.shortBecause': shortBecause, 'receipt.left': left }
      : { state: 'done' as const };
    const ended = await this.database.models.claims
      .findOneAndUpdate(
        { _id: operationId, waiting: { $exists: true } },
        { $set: { ...ending, ...(isByOwnJob ? {} : TO_WAKE), endedAt: this.database.now() }, $unset: { waiting: '' } },
        { returnDocument: 'after' },
      )
      .lean<ClaimDoc>();
    return ended ? toClaim(ended) : this.find(operationId);
  }

  async endRefused(campaignId: string): Promise<readonly string[]> {
    const { campaigns, texters } = this.database;
    const projection = { closed: 1, 'selfAssign.enabled': 1 };
    const campaign = await campaigns.findOne<StoredCampaign>({ _id: campaignId }, { projection });
    if (campaign && isClosed(campaign)) return endWaitingClaims(this.database, { campaignId }, 'campaign-closed');
    if (campaign && !rulesOf(campaign.selfAssign).enabled) {
      return endWaitingClaims(this.database, { campaignId }, 'self-assign-off');
    }
    const options = { projection: { _id: 0, texterId: 1 }, ...IN_ONE_BATCH };
    const inactive = await texters.find({ campaignId, active: { $ne: true } }, options).toArray();
    if (inactive.length === 0) return [];
    const texterIds = inactive.map(({ texterId }) => texterId);
    return endWaitingClaims(this.database, { campaignId, texterIds }, 'texter-inactive');
  }

  async hasWaiting(campaignId: string): Promise<boolean> {
    const filter = { campaignId, 'waiting.until': { $exists: true, $gt: this.database.now() } };
    return (await this.database.models.claims.exists(filter).hint(WAITING_INDEX)) !== null;
  }

  async hasClaimable(campaignId: string): Promise<boolean> {
    const claimable = this.database.models.conversations.exists({ campaignId, ...CLAIMABLE }).hint(CLAIMABLE_INDEX);
    return (await claimable) !== null;
  }

  limitedLoads(campaignId: string, texterIds: readonly string[]): Promise<ReadonlyMap<string, TexterLoad>> {
    return readLimitedLoads(this.database, campaignId, texterIds);
  }

  unblock(campaignId: string): Promise<Unblocked> {
    return unblockClaims(this.database, campaignId);
  }

  async noteWoken(operationIds: readonly string[]): Promise<void> {
    if (operationIds.length === 0) return;
    const filter = { _id: { $in: [...operationIds] }, ...TO_WAKE };
    await this.database.claims.updateMany(filter, { $unset: { toWake: '' } }, { hint: BY_ID });
  }
}

/**
 * Compares each blocked claim with the present rules and the load of its texter, outside of any transaction: the round that reads
 * the claim decides.
 */
async function unblockClaims(database: Database, campaignId: string): Promise<Unblocked> {
  const rules = await readRules(database, campaignId);
  if (!rules) return { checked: 0, unblocked: 0 };
  let [checked, unblocked] = [0, 0];
  for (let after = -1; ;) {
    const filter = { campaignId, 'waiting.blockedSequence': { $exists: true, $gt: after } };
    const options = { sort: { 'waiting.blockedSequence': 1 }, limit: BLOCKED_PAGE, hint: BLOCKED_INDEX } as const;
    const page = (await database.claims.find(filter, options).toArray()).map(toClaim);
    if (page.length === 0) return { checked, unblocked };
    checked += page.length;
    const texterIds = [...new Set(page.map(({ request }) => request.texterId))];
    const countReplies = rules.selfAssign.repliesMax !== null;
    const texters = await readLoads(database, { campaignId, texterIds, countReplies });
    const free = page.filter((claim) => !(roomOf(claim, { campaign: rules, texters }) instanceof Refusal));
    unblocked += await setUnblocked(
      database,
      free.map(({ operationId }) => operationId),
    );
    after = page.at(-1)?.waiting?.sequence ?? Infinity;
  }
}

async function setUnblocked({ claims }: Database, ids: readonly string[]): Promise<number> {
  if (ids.length === 0) return 0;
  const filter = { _id: { $in: [...ids] }, 'waiting.blockedSequence': { $exists: true } };
  return (await claims.updateMany(filter, UNBLOCKED, { hint: BY_ID })).modifiedCount;
}

async function readRules({ campaigns }: Database, campaignId: string): Promise<Snapshot['campaign']> {
  const projection = { closed: 1, selfAssign: 1 };
  const campaign = await campaigns.findOne<StoredCampaign>({ _id: campaignId }, { projection });
  return campaign ? { closed: isClosed(campaign), selfAssign: rulesOf(campaign.selfAssign) } : undefined;
}
