import type { Cancellation } from '../domain/operation.ts';
import { isDuplicateKey, type Database } from '../mongo/database.ts';
import type { ClaimDoc } from '../mongo/documents.ts';
import { CANCELLED_RECEIPT, type Claim } from './claim.ts';
import type { ClaimCommand } from './contract.ts';
import type { ClaimStore, Round } from './ports.ts';
import { MongoRoundStore, toClaim } from './round-store.ts';
import { serveRound } from './serve-round.ts';

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

  private serveInTransaction(campaignId: string, claims: readonly ClaimCommand[]): Promise<Round> {
    return this.database.transaction((session) =>
      serveRound(new MongoRoundStore(this.database, session, campaignId), claims, this.conversationsMax),
    );
  }
}
