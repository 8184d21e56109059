import type { mongo } from 'mongoose';
import { HISTORY_MOVES_MAX } from '../domain/conversation.ts';
import { objectIds } from '../mongo/object-ids.ts';
import type { Granted } from './mapping.ts';
import type { Database } from '../mongo/database.ts';
import { CLAIMABLE, type ConversationDoc } from '../mongo/documents.ts';
import { CLAIMABLE_INDEX } from '../mongo/indexes.ts';

/** A campaign's pool as a round of claims reads it and gives from it, in the round's transaction. */
export class ClaimPool {
  private readonly database: Database;
  private readonly session: mongo.ClientSession;
  private readonly campaignId: string;
  private readonly at: Date;

  constructor(database: Database, session: mongo.ClientSession, campaignId: string, at: Date) {
    this.database = database;
    this.session = session;
    this.campaignId = campaignId;
    this.at = at;
  }

  /** The head of the pool, longest waiting first: ids, each with the operations in its history. */
  async readHead(limit: number): Promise<Map<string, Set<string>>> {
    if (limit === 0) return new Map();
    const { session, campaignId } = this;
    const pool = this.database.conversations.find<Pick<ConversationDoc, '_id' | 'history'>>(
      { campaignId, ...CLAIMABLE },
      {
        session,
        limit,
        projection: { 'history.operationId': 1 },
        sort: { waitingSince: 1, _id: 1 },
        hint: CLAIMABLE_INDEX,
        batchSize: limit + 1,
      },
    );
    const head = await pool.toArray();
    return new Map(
      head.map(({ _id, history }) => [_id.toHexString(), new Set(history.map((move) => move.operationId))]),
    );
  }

  async give(granted: readonly Granted[]): Promise<void> {
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
        $push: { history: { $each: [entry], $slice: -HISTORY_MOVES_MAX } },
      },
    };
  }
}
