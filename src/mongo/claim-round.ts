import type { mongo } from 'mongoose';
import type { ClaimCommand, Round } from '../app/ports.ts';
import { claimReceipt, type Claim } from '../domain/claim.ts';
import { dealPool, roomInAll, seatClaims } from '../domain/claim-round.ts';
import { TRAIL_MOVES_MAX } from '../domain/conversation.ts';
import { objectIds } from './batch-mapping.ts';
import { ClaimFacts } from './claim-facts.ts';
import { fromCommand, fromWaiting, newDoc, toClaim, type Granted } from './claim-mapping.ts';
import type { Database } from './connect.ts';
import type { ClaimDoc, ConversationDoc } from './documents.ts';
import { CLAIMABLE_INDEX } from './models.ts';

/** How many waiting claims one round looks at; the rest keep their place for the next. */
const WAITING_CLAIMS_MAX = 100;

const CLAIMABLE = { assigneeId: null, status: 'not-started', optedOut: false } as const;

/**
 * One round of claims on one campaign, inside a transaction: whatever the rules look at is read here, whatever is given
 * is written here, and every texter's row is written too, so that two rounds for one texter cannot both go through.
 */
export class ClaimRound {
  private readonly database: Database;
  private readonly session: mongo.ClientSession;
  private readonly campaignId: string;
  private readonly at = new Date();

  constructor(database: Database, session: mongo.ClientSession, campaignId: string) {
    this.database = database;
    this.session = session;
    this.campaignId = campaignId;
  }

  async run(commands: readonly ClaimCommand[]): Promise<Round> {
    const waiting = await this.readWaiting();
    const queue = [...waiting.map(fromWaiting), ...commands.map(fromCommand)];
    if (queue.length === 0) return { answered: [], completed: [] };
    const texterIds = [...new Set(queue.map(({ request }) => request.texterId))];
    const facts = await new ClaimFacts(this.database, this.session, this.campaignId).read(texterIds);
    const seated = seatClaims(queue, facts);
    const lists = dealPool(seated, await this.readPool(roomInAll(seated)));
    const granted = seated.map((seat, index) => ({ ...seat, granted: lists[index] ?? [] }));
    await this.give(granted);
    const answered = await this.record(granted.filter(({ claim }) => claim.command !== null));
    const completed = await this.carryOn(granted.filter(({ claim }) => claim.doc !== null));
    return { answered, completed };
  }

  private readWaiting(): Promise<ClaimDoc[]> {
    const filter = {
      campaignId: this.campaignId,
      'waiting.sequence': { $exists: true },
      'waiting.until': { $gt: this.at },
    };
    const sort = { 'waiting.sequence': 1 } as const;
    const options = { session: this.session, sort, limit: WAITING_CLAIMS_MAX };
    return this.database.claims.find(filter, options).toArray();
  }

  private async readPool(limit: number): Promise<string[]> {
    if (limit === 0) return [];
    const { session, campaignId } = this;
    const pool = this.database.conversations.find<Pick<ConversationDoc, '_id'>>(
      { campaignId, ...CLAIMABLE },
      {
        session,
        limit,
        projection: { _id: 1 },
        sort: { waitingSince: 1, _id: 1 },
        hint: CLAIMABLE_INDEX,
        batchSize: limit + 1,
      },
    );
    return (await pool.toArray()).map(({ _id }) => _id.toHexString());
  }

  private async give(granted: readonly Granted[]): Promise<void> {
    const giving = granted.filter((each) => each.granted.length > 0);
    if (giving.length === 0) return;
    const updates = giving.map((each) => ({ updateMany: this.gift(each) }));
    const { modifiedCount } = await this.database.conversations.bulkWrite(updates, { session: this.session });
    const expected = giving.reduce((sum, each) => sum + each.granted.length, 0);
    if (modifiedCount !== expected)
      throw new Error(`expected ${expected} claimed conversations to move, got ${modifiedCount}`);
  }

  private gift({ claim, granted }: Granted): {
    filter: mongo.Filter<ConversationDoc>;
    update: mongo.UpdateFilter<ConversationDoc>;
  } {
    const { operationId, texterId } = claim.request;
    const entry = { operationId, from: null, to: texterId, at: this.at, by: texterId };
    return {
      filter: { _id: { $in: objectIds(granted) }, campaignId: this.campaignId, ...CLAIMABLE },
      update: {
        $set: { assigneeId: texterId, assignedAt: this.at, lastOperationId: operationId },
        $inc: { assignmentVersion: 1 },
        $push: { trail: { $each: [entry], $slice: -TRAIL_MOVES_MAX } },
      },
    };
  }

  /** Keeps the new claims, ended or waiting. */
  private async record(granted: readonly Granted[]): Promise<Claim[]> {
    if (granted.length === 0) return [];
    const short = granted.filter(isToWait);
    let sequence = short.length > 0 ? await this.takeWaitingNumbers(short.length) : 0;
    const docs = granted.map((each) => {
      const doc = newDoc(each, this.at);
      if (!isToWait(each)) return doc;
      const until = new Date(this.at.getTime() + (each.claim.request.waitMs ?? 0));
      return { ...doc, state: 'accepted' as const, endedAt: null, waiting: { sequence: (sequence += 1), until } };
    });
    await this.database.claims.insertMany(docs, { session: this.session });
    return docs.map(toClaim);
  }

  /** Returns the number before the first taken. */
  private async takeWaitingNumbers(count: number): Promise<number> {
    const campaign = await this.database.campaigns.findOneAndUpdate(
      { _id: this.campaignId },
      { $inc: { waitingCount: count } },
      { session: this.session, projection: { waitingCount: 1 } },
    );
    return campaign?.waitingCount ?? 0;
  }

  /** Adds what waiting claims were given; returns those that are complete. */
  private async carryOn(granted: readonly Granted[]): Promise<Claim[]> {
    const given = granted.filter((each) => each.granted.length > 0);
    for (const { claim, granted: more, room } of given) {
      const total = claim.grantedBefore + more.length;
      const whole = { count: claim.grantedBefore + (room?.count ?? 0), limitedBy: room?.limitedBy ?? null };
      const complete = more.length === room?.count;
      await this.database.claims.updateOne(
        { _id: claim.request.operationId, waiting: { $exists: true } },
        {
          $push: { granted: { $each: objectIds(more) } },
          $set: {
            receipt: claimReceipt(claim.request, total, whole),
            ...(complete && { state: 'done' as const, endedAt: this.at }),
          },
          ...(complete && { $unset: { waiting: '' as const } }),
        },
        { session: this.session },
      );
    }
    const complete = given.filter(({ room, granted: more }) => more.length === room?.count);
    return complete.flatMap(({ claim }) => (claim.doc ? [toClaim(claim.doc)] : []));
  }
}

/** Short of what it had room for, and willing to wait. */
function isToWait({ claim, room, granted }: Granted): boolean {
  return room !== null && granted.length < room.count && claim.request.waitMs !== undefined;
}
