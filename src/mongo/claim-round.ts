import type { mongo } from 'mongoose';
import type { ClaimCommand, Round } from '../app/ports.ts';
import { claimReceipt, type Claim, type Room } from '../domain/claim.ts';
import { dealPool, wantedInAll } from '../domain/claim-round.ts';
import { TRAIL_MOVES_MAX } from '../domain/conversation.ts';
import { objectIds } from './batch-mapping.ts';
import { ClaimFacts, type RuledCampaign } from './claim-facts.ts';
import { fromCommand, fromWaiting, newDoc, toClaim, type Granted, type Queued } from './claim-mapping.ts';
import type { Database } from './connect.ts';
import { CLAIMABLE, type ClaimDoc, type ConversationDoc } from './documents.ts';
import { CLAIMABLE_INDEX } from './models.ts';

/** Waiting claims are looked at so many at a time, until the pool is empty or none is left. */
const WAITING_PAGE = 100;

interface Served {
  readonly answered: readonly Claim[];
  readonly completed: readonly Claim[];
  readonly isPoolEmpty: boolean;
}

/**
 * One round of claims on one campaign, inside a transaction: whatever the rules look at is read here, whatever is given
 * is written here, and every texter's row is written too, so that two rounds for one texter cannot both go through.
 */
export class ClaimRound {
  private readonly database: Database;
  private readonly session: mongo.ClientSession;
  private readonly campaignId: string;
  private readonly facts: ClaimFacts;
  private readonly at: Date;

  constructor(database: Database, session: mongo.ClientSession, campaignId: string) {
    this.database = database;
    this.session = session;
    this.campaignId = campaignId;
    this.facts = new ClaimFacts(database, session, campaignId);
    this.at = database.now();
  }

  /** Waiting claims come first, however many there are: new ones are served once the last of them has been looked at. */
  async run(commands: readonly ClaimCommand[]): Promise<Round> {
    const campaign = await this.facts.readCampaign();
    const completed: Claim[] = [];
    let after = 0;
    for (;;) {
      // Where no claim has ever waited, none is looked for: a texter waits for the answer.
      const waiting = campaign?.waitingCount === 0 ? [] : await this.readWaiting(after);
      const isLast = waiting.length < WAITING_PAGE;
      const fresh = isLast ? commands.map(fromCommand) : [];
      const served = await this.serve(campaign, [...waiting.map(fromWaiting), ...fresh]);
      completed.push(...served.completed);
      if (isLast) return { answered: served.answered, completed };
      if (served.isPoolEmpty) {
        const last = await this.serve(campaign, commands.map(fromCommand));
        return { answered: last.answered, completed };
      }
      after = waiting.at(-1)?.waiting?.sequence ?? after;
    }
  }

  private async serve(campaign: RuledCampaign | undefined, queue: readonly Queued[]): Promise<Served> {
    if (queue.length === 0) return { answered: [], completed: [], isPoolEmpty: false };
    const texterIds = [...new Set(queue.map(({ request }) => request.texterId))];
    const facts = await this.facts.read(campaign, texterIds);
    const wanted = wantedInAll(queue, facts);
    // What a waiting claim had may have come back, and lie ahead of what it can be given.
    const hadBefore = queue.reduce((sum, { grantedBefore }) => sum + grantedBefore, 0);
    const limit = wanted === 0 ? 0 : wanted + hadBefore;
    const movedBy = await this.readPool(limit);
    const pool = [...movedBy.keys()];
    const dealt = dealPool(queue, facts, pool, (claimId, id) => movedBy.get(id)?.has(claimId) === true);
    // First of all: an id that is known by now undoes the round, and should not have cost the writes.
    const answered = await this.record(dealt.filter(({ claim }) => claim.command !== null));
    await this.give(dealt);
    const completed = await this.carryOn(dealt.filter(({ claim }) => claim.doc !== null));
    // What was wanted is an upper bound: the pool is empty when it had less, and all of that is gone.
    const given = dealt.reduce((sum, { granted }) => sum + granted.length, 0);
    return { answered, completed, isPoolEmpty: pool.length < limit && given === pool.length };
  }

  private readWaiting(after: number): Promise<ClaimDoc[]> {
    const filter = {
      campaignId: this.campaignId,
      'waiting.sequence': { $exists: true, $gt: after },
      'waiting.until': { $gt: this.at },
    };
    const sort = { 'waiting.sequence': 1 } as const;
    return this.database.claims.find(filter, { session: this.session, sort, limit: WAITING_PAGE }).toArray();
  }

  /** The head of the pool, longest waiting first: ids, each with the operations in its trail. */
  private async readPool(limit: number): Promise<Map<string, Set<string>>> {
    if (limit === 0) return new Map();
    const { session, campaignId } = this;
    const pool = this.database.conversations.find<Pick<ConversationDoc, '_id' | 'trail'>>(
      { campaignId, ...CLAIMABLE },
      {
        session,
        limit,
        projection: { 'trail.operationId': 1 },
        sort: { waitingSince: 1, _id: 1 },
        hint: CLAIMABLE_INDEX,
        batchSize: limit + 1,
      },
    );
    const head = await pool.toArray();
    return new Map(head.map(({ _id, trail }) => [_id.toHexString(), new Set(trail.map((move) => move.operationId))]));
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
  private async carryOn(dealt: readonly Granted[]): Promise<Claim[]> {
    const completed: Claim[] = [];
    for (const { claim, granted, room } of dealt) {
      // Refused as things are now, it waits on: the rule may let it through before its deadline.
      if (!room || !claim.doc) continue;
      const isComplete = granted.length === room.count;
      if (granted.length > 0 || isComplete) await this.addTo(claim, granted, room, isComplete);
      if (isComplete) completed.push(toClaim(claim.doc));
    }
    return completed;
  }

  private async addTo(claim: Queued, granted: readonly string[], room: Room, isComplete: boolean): Promise<void> {
    const { operationId } = claim.request;
    const whole = { ...room, count: claim.grantedBefore + room.count };
    const receipt = claimReceipt(claim.request, claim.grantedBefore + granted.length, whole);
    const ended = isComplete ? { state: 'done' as const, endedAt: this.at } : {};
    await this.database.claims.updateOne(
      { _id: operationId, waiting: { $exists: true } },
      {
        $push: { granted: { $each: objectIds(granted) } },
        $set: { receipt, ...ended },
        ...(isComplete && { $unset: { waiting: '' as const } }),
      },
      { session: this.session },
    );
  }
}

/** Short of what it had room for, and willing to wait. */
function isToWait({ claim, room, granted }: Granted): boolean {
  return room !== null && granted.length < room.count && claim.request.waitMs !== undefined;
}
