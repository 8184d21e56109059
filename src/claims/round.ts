import type { mongo } from 'mongoose';
import type { ClaimCommand, Round } from './ports.ts';
import { claimReceipt, type Claim, type Room } from './claim.ts';
import { dealPool, leadingClaims, type Reach } from './round-rules.ts';
import { objectIds } from '../mongo/object-ids.ts';
import { ClaimFacts, type RuledCampaign } from './facts-store.ts';
import { fromCommand, fromWaiting, newDoc, toClaim, type Granted, type Queued } from './mapping.ts';
import { ClaimPool } from './pool-store.ts';
import type { Database } from '../mongo/database.ts';
import type { ClaimDoc } from '../mongo/documents.ts';

/** Waiting claims are looked at so many at a time, until the pool is empty or none is left. */
const WAITING_PAGE = 100;

const UNBOUNDED: Reach = { atMost: Infinity, mayExceed: true };

/**
 * One round of claims on one campaign, inside a transaction: whatever the rules look at is read here, whatever is given
 * is written here, and every texter's row is written too, so that two rounds for one texter cannot both go through.
 */
export class ClaimRound {
  private readonly database: Database;
  private readonly session: mongo.ClientSession;
  private readonly campaignId: string;
  private readonly facts: ClaimFacts;
  private readonly pool: ClaimPool;
  private readonly at: Date;
  private readonly answered: Claim[] = [];
  private readonly completed: Claim[] = [];
  private given = 0;

  constructor(database: Database, session: mongo.ClientSession, campaignId: string) {
    this.database = database;
    this.session = session;
    this.campaignId = campaignId;
    this.at = database.now();
    this.facts = new ClaimFacts(database, session, campaignId);
    this.pool = new ClaimPool(database, session, campaignId, this.at);
  }

  /**
   * Waiting claims come first, however many there are: new ones are served once the last of them has been looked at.
   * Gives no more than `conversationsMax`, or one claim's share: conflicts and locks last as long as the transaction.
   */
  async run(commands: readonly ClaimCommand[], conversationsMax: number): Promise<Round> {
    const campaign = await this.facts.readCampaign();
    const fresh = commands.map(fromCommand);
    let after = 0;
    for (;;) {
      // Where no claim has ever waited, none is looked for: a texter waits for the answer.
      const waiting = campaign?.waitingCount === 0 ? [] : await this.readWaiting(after);
      const isLast = waiting.length < WAITING_PAGE;
      let queue: readonly Queued[] = [...waiting.map(fromWaiting), ...(isLast ? fresh : [])];
      while (queue.length > 0) {
        const reach = { atMost: conversationsMax - this.given, mayExceed: this.given === 0 };
        const { lookedAt, isPoolEmpty } = await this.serve(campaign, queue, reach);
        queue = queue.slice(lookedAt);
        if (isPoolEmpty) {
          // Nobody can be given anything: new claims hear so, and those of this page end that have all they may have.
          await this.serve(campaign, isLast ? queue : [...queue, ...fresh], UNBOUNDED);
          return this.round(true);
        }
        if (queue.length > 0 && this.given > 0) return this.round(isLast && queue.every(isNew));
      }
      if (isLast) return this.round(true);
      after = waiting.at(-1)?.waiting?.sequence ?? after;
    }
  }

  private round(sawAllWaiting: boolean): Round {
    return { answered: this.answered, completed: this.completed, sawAllWaiting };
  }

  /** Serves the front of a queue, as much of it as is within reach. */
  private async serve(
    campaign: RuledCampaign | undefined,
    queue: readonly Queued[],
    reach: Reach,
  ): Promise<{ readonly lookedAt: number; readonly isPoolEmpty: boolean }> {
    if (queue.length === 0) return { lookedAt: 0, isPoolEmpty: false };
    const texterIds = [...new Set(queue.map(({ request }) => request.texterId))];
    const facts = await this.facts.read(campaign, texterIds);
    const { leading, reached } = leadingClaims(queue, facts, reach);
    const movedBy = await this.pool.readHead(reached);
    const pool = [...movedBy.keys()];
    const dealt = dealPool(leading, facts, pool, (operationId, id) => movedBy.get(id)?.has(operationId) === true);
    // First of all: an id that is known by now undoes the round, and should not have cost the writes.
    this.answered.push(...(await this.record(dealt.filter(({ claim }) => isNew(claim)))));
    await this.pool.give(dealt);
    this.completed.push(...(await this.carryOn(dealt.filter(({ claim }) => !isNew(claim)))));
    const given = dealt.reduce((sum, { granted }) => sum + granted.length, 0);
    this.given += given;
    // The reach is an upper bound: the pool is empty when it had less, and all of that is gone.
    return { lookedAt: leading.length, isPoolEmpty: pool.length < reached && given === pool.length };
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

function isNew({ command }: Queued): boolean {
  return command !== null;
}
