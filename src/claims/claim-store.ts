import type { mongo } from 'mongoose';
import { WriteConflict } from '../domain/errors.ts';
import type { Cancellation } from '../domain/operation.ts';
import type { ClaimEndedReason } from '../domain/receipt.ts';
import { rulesOf, type StoredCampaign } from '../campaigns/index.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import type { ClaimDoc } from '../mongo/documents.ts';
import { BY_ID } from '../mongo/indexes.ts';
import { countConflict } from '../telemetry/index.ts';
import { CANCELLED_RECEIPT, type Claim } from './claim.ts';
import { ClaimsDelayed, type ClaimStore, type Round, type RoundStore } from './ports.ts';
import { MongoRoundStore, toClaim } from './round-store.ts';

/**
 * How long a round is repeated while it meets other writers. Then its claims go back into the queue, so that they do not
 * occupy the worker while they wait for another program.
 */
const ROUND_REPEATED_FOR_MS = 2_000;

/** The most conversations at the head of the pool that a round passes over after conflicts. */
const SKIP_MAX = 2_000;

export class MongoClaimStore implements ClaimStore {
  readonly conversationsMax: number;
  private readonly database: Database;
  private readonly roundRepeatedForMs: number;

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
    const attempt = async (session: mongo.ClientSession): Promise<Round> => {
      const store = new MongoRoundStore(this.database, session, campaignId, skip);
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

  async endWaiting(operationId: string, cancellation?: Cancellation): Promise<Claim | undefined> {
    const { shortBecause, left } = CANCELLED_RECEIPT;
    const ending = cancellation
      ? { state: 'cancelled' as const, cancellation, 'receipt.shortBecause': shortBecause, 'receipt.left': left }
      : { state: 'done' as const };
    const ended = await this.database.models.claims
      .findOneAndUpdate(
        { _id: operationId, waiting: { $exists: true } },
        { $set: { ...ending, endedAt: this.database.now() }, $unset: { waiting: '' } },
        { returnDocument: 'after' },
      )
      .lean<ClaimDoc>();
    return ended ? toClaim(ended) : this.find(operationId);
  }

  async endRefused(campaignId: string): Promise<readonly string[]> {
    const { campaigns, texters } = this.database;
    const projection = { closed: 1, 'selfAssign.enabled': 1 };
    const campaign = await campaigns.findOne<StoredCampaign>({ _id: campaignId }, { projection });
    if (campaign?.closed) return endWaitingClaims(this.database, { campaignId }, 'campaign-closed');
    if (campaign && !rulesOf(campaign.selfAssign).enabled) {
      return endWaitingClaims(this.database, { campaignId }, 'self-assign-off');
    }
    const options = { projection: { _id: 0, texterId: 1 }, ...IN_ONE_BATCH };
    const inactive = await texters.find({ campaignId, active: { $ne: true } }, options).toArray();
    if (inactive.length === 0) return [];
    const texterIds = inactive.map(({ texterId }) => texterId);
    return endWaitingClaims(this.database, { campaignId, texterIds }, 'texter-inactive');
  }

  async firstWaiting(campaignId: string): Promise<Claim | undefined> {
    const filter = { campaignId, 'waiting.sequence': { $exists: true }, 'waiting.until': { $gt: this.database.now() } };
    const first = this.database.models.claims.findOne(filter).sort({ 'waiting.sequence': 1 });
    const doc = await first.lean<ClaimDoc>();
    return doc ? toClaim(doc) : undefined;
  }
}

/**
 * Ends the waiting claims of a campaign, or those of some of its texters, with the conversations they have. Returns their
 * operation ids. Their jobs still have to be woken.
 */
export async function endWaitingClaims(
  database: Database,
  { campaignId, texterIds }: { readonly campaignId: string; readonly texterIds?: readonly string[] },
  reason: ClaimEndedReason,
  session?: mongo.ClientSession,
): Promise<readonly string[]> {
  const ofTexters = texterIds ? { 'request.texterId': { $in: [...texterIds] } } : {};
  // Without a receipt the reason has no place, and the error would keep the other claims waiting.
  const filter = { campaignId, 'waiting.sequence': { $exists: true }, receipt: { $ne: null }, ...ofTexters };
  const options = session ? { session } : {};
  const waiting = await database.claims.find(filter, { ...options, projection: { _id: 1 } }).toArray();
  const ids = waiting.map(({ _id }) => _id);
  if (ids.length === 0) return ids;
  const $set = { state: 'done' as const, endedAt: database.now(), 'receipt.shortBecause': reason };
  const update = { $set, $unset: { waiting: '' as const } };
  await database.claims.updateMany({ _id: { $in: ids }, waiting: { $exists: true } }, update, {
    ...options,
    hint: BY_ID,
  });
  return ids;
}
