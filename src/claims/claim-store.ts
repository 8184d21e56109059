import type { mongo } from 'mongoose';
import { WriteConflict } from '../domain/errors.ts';
import type { Cancellation } from '../domain/operation.ts';
import { isDuplicateKey, type Database } from '../mongo/database.ts';
import type { ClaimDoc } from '../mongo/documents.ts';
import { countConflict } from '../telemetry/index.ts';
import { CANCELLED_RECEIPT, type Claim } from './claim.ts';
import type { ClaimCommand } from './contract.ts';
import { PoolReader } from './pool-reader.ts';
import { ClaimsDelayed, type ClaimStore, type Round } from './ports.ts';
import { MongoRoundStore, toClaim } from './round-store.ts';
import { serveRound } from './serve-round.ts';

/**
 * How long a round is repeated while it meets other writers. Then its claims go back into the queue, so that they do not
 * occupy the worker while they wait for another program.
 */
const ROUND_REPEATED_FOR_MS = 2_000;

/** The most conversations at the head of the pool that a round passes over after conflicts. */
const SKIP_MAX = 2_000;

export class MongoClaimStore implements ClaimStore {
  private readonly database: Database;
  private readonly conversationsMax: number;

  /** A round grants at most `conversationsMax` conversations, or the conversations of one larger claim. */
  constructor(database: Database, conversationsMax: number) {
    this.database = database;
    this.conversationsMax = conversationsMax;
  }

  async find(operationId: string): Promise<Claim | undefined> {
    const doc = await this.database.models.operations.findById(operationId).lean<ClaimDoc>();
    return doc ? toClaim(doc) : undefined;
  }

  /** Almost all operation ids are new, so the known ones are looked up only after the insert has met one. */
  async serve(campaignId: string, claims: readonly ClaimCommand[]): Promise<Round> {
    let known: readonly Claim[] = [];
    for (;;) {
      const knownIds = new Set(known.map(({ operationId }) => operationId));
      const unknown = claims.filter(({ request }) => !knownIds.has(request.operationId));
      try {
        const round = await this.serveInTransaction(campaignId, unknown);
        return { ...round, answered: [...known, ...round.answered] };
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
        const before = known.length;
        known = await this.findAll(claims);
        // Another worker can insert one of the ids at any time. Each repetition has at least one id fewer to insert.
        if (known.length === before) throw error;
      }
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

  async firstWaiting(campaignId: string): Promise<Claim | undefined> {
    const filter = { campaignId, 'waiting.sequence': { $exists: true }, 'waiting.until': { $gt: this.database.now() } };
    const first = this.database.models.claims.findOne(filter).sort({ 'waiting.sequence': 1 });
    const doc = await first.lean<ClaimDoc>();
    return doc ? toClaim(doc) : undefined;
  }

  private async findAll(claims: readonly ClaimCommand[]): Promise<Claim[]> {
    const ids = claims.map(({ request }) => request.operationId);
    const found = this.database.models.operations.find({ _id: { $in: ids } });
    return (await found.lean<ClaimDoc[]>()).map(toClaim);
  }

  /** After a conflict about conversations, the round goes on behind them: their writer may need a while. */
  private async serveInTransaction(campaignId: string, claims: readonly ClaimCommand[]): Promise<Round> {
    let skip = 0;
    const attempt = async (session: mongo.ClientSession): Promise<Round> => {
      const pool = new PoolReader(this.database, session, campaignId, skip);
      const store = new MongoRoundStore(this.database, session, campaignId, pool);
      try {
        const round = await serveRound(store, claims, this.conversationsMax);
        return { ...round, isBesideOperation: await pool.isBesideOperation() };
      } catch (error) {
        skip = Math.min(skip + Math.max(skip, store.assigning), SKIP_MAX);
        throw error;
      }
    };
    try {
      const options = { repeatForMs: ROUND_REPEATED_FOR_MS, onConflict: () => countConflict('claim') };
      return await this.database.transaction(attempt, options);
    } catch (error) {
      if (!(error instanceof WriteConflict)) throw error;
      throw new ClaimsDelayed(`a round of claims met other writers for ${ROUND_REPEATED_FOR_MS} ms`, { cause: error });
    }
  }
}
