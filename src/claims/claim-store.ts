import type { ClaimCommand, ClaimStore, Round } from './ports.ts';
import type { Claim } from './claim.ts';
import type { Cancellation } from '../domain/operation.ts';
import { toClaim } from './mapping.ts';
import { ClaimRound } from './round.ts';
import { isDuplicateKey, type Database } from '../mongo/database.ts';

export class MongoClaimStore implements ClaimStore {
  private readonly database: Database;
  private readonly conversationsMax: number;

  /** A round gives no more than `conversationsMax`, or one claim's share. */
  constructor(database: Database, conversationsMax: number) {
    this.database = database;
    this.conversationsMax = conversationsMax;
  }

  async find(operationId: string): Promise<Claim | undefined> {
    const doc = await this.database.claims.findOne({ _id: operationId });
    return doc ? toClaim(doc) : undefined;
  }

  /** Ids are new as a rule, so that is what is tried first; looking for known ones costs a query. */
  async serve(campaignId: string, claims: readonly ClaimCommand[]): Promise<Round> {
    let known: readonly Claim[] = [];
    for (;;) {
      const knownIds = new Set(known.map(({ operationId }) => operationId));
      const unknown = claims.filter(({ request }) => !knownIds.has(request.operationId));
      try {
        const round = await this.round(campaignId, unknown);
        return { ...round, answered: [...known, ...round.answered] };
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
        const before = known.length;
        known = await this.findAll(claims);
        // Another worker may be served the same id at any time; each time, one fewer is left to try.
        if (known.length === before) throw error;
      }
    }
  }

  async endWaiting(operationId: string, cancellation?: Cancellation): Promise<Claim | undefined> {
    const ending = cancellation
      ? { state: 'cancelled' as const, cancellation, 'receipt.shortBecause': 'stopped' as const, 'receipt.left': 0 }
      : { state: 'done' as const };
    const ended = await this.database.claims.findOneAndUpdate(
      { _id: operationId, waiting: { $exists: true } },
      { $set: { ...ending, endedAt: this.database.now() }, $unset: { waiting: '' } },
      { returnDocument: 'after' },
    );
    return ended ? toClaim(ended) : this.find(operationId);
  }

  async firstWaiting(campaignId: string): Promise<Claim | undefined> {
    const filter = { campaignId, 'waiting.sequence': { $exists: true }, 'waiting.until': { $gt: this.database.now() } };
    const doc = await this.database.claims.findOne(filter, { sort: { 'waiting.sequence': 1 } });
    return doc ? toClaim(doc) : undefined;
  }

  private async findAll(claims: readonly ClaimCommand[]): Promise<Claim[]> {
    const ids = claims.map(({ request }) => request.operationId);
    return (await this.database.claims.find({ _id: { $in: ids } }).toArray()).map(toClaim);
  }

  private round(campaignId: string, claims: readonly ClaimCommand[]): Promise<Round> {
    return this.database.transaction((session) =>
      new ClaimRound(this.database, session, campaignId).run(claims, this.conversationsMax),
    );
  }
}
