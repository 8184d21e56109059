import type { ClaimCommand, ClaimStore, Round } from '../app/ports.ts';
import type { Claim } from '../domain/claim.ts';
import { toClaim } from './claim-mapping.ts';
import { ClaimRound } from './claim-round.ts';
import { isDuplicateKey, type Database } from './connect.ts';

export class MongoClaimStore implements ClaimStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async find(claimId: string): Promise<Claim | undefined> {
    const doc = await this.database.claims.findOne({ _id: claimId });
    return doc ? toClaim(doc) : undefined;
  }

  /** Ids are new as a rule, so that is what is tried first; looking for known ones costs a query. */
  async serve(campaignId: string, claims: readonly ClaimCommand[]): Promise<Round> {
    try {
      return await this.round(campaignId, claims);
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      return this.serveUnknown(campaignId, claims);
    }
  }

  async giveUp(claimId: string): Promise<Claim | undefined> {
    const ended = await this.database.claims.findOneAndUpdate(
      { _id: claimId, waiting: { $exists: true } },
      { $set: { state: 'done', endedAt: this.database.now() }, $unset: { waiting: '' } },
      { returnDocument: 'after' },
    );
    return ended ? toClaim(ended) : this.find(claimId);
  }

  async firstWaiting(campaignId: string): Promise<Claim | undefined> {
    const filter = { campaignId, 'waiting.sequence': { $exists: true }, 'waiting.until': { $gt: this.database.now() } };
    const doc = await this.database.claims.findOne(filter, { sort: { 'waiting.sequence': 1 } });
    return doc ? toClaim(doc) : undefined;
  }

  private async serveUnknown(campaignId: string, claims: readonly ClaimCommand[]): Promise<Round> {
    const ids = claims.map(({ request }) => request.operationId);
    const known = (await this.database.claims.find({ _id: { $in: ids } }).toArray()).map(toClaim);
    const knownIds = new Set(known.map(({ operationId }) => operationId));
    const unknown = claims.filter(({ request }) => !knownIds.has(request.operationId));
    const round = await this.round(campaignId, unknown);
    return { ...round, answered: [...known, ...round.answered] };
  }

  private round(campaignId: string, claims: readonly ClaimCommand[]): Promise<Round> {
    return this.database.transaction((session) => new ClaimRound(this.database, session, campaignId).run(claims));
  }
}
